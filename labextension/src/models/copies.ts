import type { ISessionContext } from '@jupyterlab/apputils';
import type { CarrelApi } from '../api';
import type { ICloned, IEnvironment } from '../schemas';
import type { EnvironmentModel } from './environment';
import type { JobsModel } from './jobs';
import { SheetModel } from './sheet';

/** What the model needs to know a new kernel. */
type SpecsManager = { refreshSpecs(): Promise<void> };

/** Names the server takes for the folder of a copy. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;

/**
 * A private copy of an environment: named, made by a job, then used by the notebook that asked for it.
 *
 * `idle` is closed, `ready` and `failed` ask for the name, `done` offers the copy's kernel.
 */
export class CopyModel extends SheetModel<'idle' | 'copying'> {
  constructor(
    private readonly _api: CarrelApi,
    jobs: JobsModel,
    private readonly _environment: EnvironmentModel,
    private readonly _specs: SpecsManager
  ) {
    super(jobs, 'copying', 'idle');
  }

  /** The environment that is copied. */
  get source(): IEnvironment | null {
    return this._source;
  }

  /** The notebook or console that was in front when the copy was asked for; null when it was closed since. */
  get session(): ISessionContext | null {
    return this._session && !this._session.isDisposed ? this._session : null;
  }

  get name(): string {
    return this._name;
  }

  set name(value: string) {
    this._name = value;
    this.notify();
  }

  get nameIsValid(): boolean {
    return NAME.test(this._name);
  }

  get result(): ICloned | null {
    return this._result;
  }

  /** True while the notebook changes its kernel. */
  get switching(): boolean {
    return this._switching;
  }

  /** Whether the environment shown can be copied, and nothing else is being copied. */
  get possible(): boolean {
    const kind = this._environment.environment?.kind;
    return (kind === 'conda' || kind === 'venv' || kind === 'system') && !this.working;
  }

  /** Ask for the name of a copy of the environment shown. */
  async open(): Promise<void> {
    const environment = this._environment.environment;
    if (!environment || !this.possible || this._opening) {
      return;
    }
    this._opening = true; // the list below may take its time, and another sheet would end what was begun in this one
    this._source = environment;
    this._session = this._environment.sessionContext;
    this._result = null;
    this.forget();
    await this._environment.loadKnown();
    this._opening = false;
    this._name = freeName(environment.name, this._environment.known);
    this.move('ready');
  }

  /** Make the copy. */
  async make(): Promise<void> {
    const source = this._source;
    if (source && this.nameIsValid && !this.working) {
      await this.work(
        () => this._api.clone(source.id, this._name),
        result => (this._result = result)
      );
    }
  }

  /** Let the notebook go on with the copy's kernel, as JupyterLab changes kernels. */
  async use(): Promise<void> {
    const { session } = this;
    const name = this._result?.kernel_name;
    if (!session || !name || this._switching) {
      return;
    }
    this._switching = true;
    this.notify();
    try {
      await this._specs.refreshSpecs();
      await session.changeKernel({ name });
      if (this._environment.sessionContext === session) {
        this._environment.followKernel();
      }
      this.close();
    } catch (error) {
      this.fail(error, 'done');
    } finally {
      this._switching = false;
      this.notify();
    }
  }

  /** Show the copy in the panel. */
  show(): void {
    const made = this._result?.environment;
    if (made && this._environment.environment?.id !== made.id) {
      this._environment.choose(made);
    }
    this.close();
  }

  close(): void {
    if (!this.working) {
      this._source = null;
      this._session = null;
      this.move('idle');
    }
  }

  private _source: IEnvironment | null = null;
  private _session: ISessionContext | null = null;
  private _name = '';
  private _result: ICloned | null = null;
  private _switching = false;
  private _opening = false;
}

/** `analysis-copy`, with a number when an environment has that name already. */
export function freeName(original: string, known: readonly IEnvironment[]): string {
  const base =
    original
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[-._]+|[-.]+$/g, '')
      .slice(0, 60) || 'environment';
  const taken = new Set(known.flatMap(item => [item.name, item.prefix.split(/[\\/]/).slice(-1)[0]]));
  let name = `${base}-copy`;
  for (let number = 2; taken.has(name); number++) {
    name = `${base}-copy-${number}`;
  }
  return name;
}
