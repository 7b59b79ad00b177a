import type { Kernel, KernelSpec } from '@jupyterlab/services';
import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { ApiError, type CarrelApi } from '../api';
import type { IEnvironment } from '../schemas';
import { askPrefix } from './kernelprobe';
import { errorText, Model } from './model';

/** Where the environment shown comes from, and whether it can be worked with. */
export type EnvironmentState =
  | 'none' // no notebook or console has the focus
  | 'loading'
  | 'ready'
  | 'no-kernel' // a notebook whose kernel is not running
  | 'dead' // the kernel died, or its folder is gone
  | 'missing-server' // no answer from the server extension
  | 'error';

/** What the model needs of a notebook or console. */
export interface IFollowed {
  sessionContext: ISessionContext;
}

type SpecsManager = { readonly specs: KernelSpec.ISpecModels | null };

/** The environment of the kernel that has the focus, until it is pinned. */
export class EnvironmentModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _specs: SpecsManager
  ) {
    super();
  }

  get state(): EnvironmentState {
    return this._state;
  }

  get environment(): IEnvironment | null {
    return this._environment;
  }

  get error(): string | null {
    return this._error;
  }

  /** Environments the server knows, for choosing one by hand. */
  get known(): readonly IEnvironment[] {
    return this._known;
  }

  /** A pinned model keeps its environment when another notebook gets the focus. */
  get pinned(): boolean {
    return this._pinned;
  }

  set pinned(value: boolean) {
    if (this._pinned !== value) {
      this._pinned = value;
      if (!value && this._latest !== this._followed) {
        this._attach(this._latest);
      }
      this.notify();
    }
  }

  /** The kernel whose environment is shown; null when it is not running or the environment was chosen by hand. */
  get kernel(): Kernel.IKernelConnection | null {
    return this._followed?.sessionContext.session?.kernel ?? null;
  }

  get sessionContext(): ISessionContext | null {
    return this._followed?.sessionContext ?? null;
  }

  /** True when the environment was chosen by hand: it is not that of the kernel. */
  get chosen(): boolean {
    return this._chosen;
  }

  /** The environment of the kernel, whichever is shown; null while it is not known. */
  get ofKernel(): IEnvironment | null {
    return this._ofKernel;
  }

  /** True while the kernel executes something. */
  get busy(): boolean {
    return this.kernel?.status === 'busy';
  }

  /** Follow a notebook or console from now on (kept for later when pinned). */
  follow(target: IFollowed | null): void {
    this._latest = target;
    if (!this._pinned && target !== this._followed) {
      this._attach(target);
    }
  }

  /** Show an environment chosen from `known`. */
  choose(environment: IEnvironment): void {
    this._attempt += 1;
    this._chosen = true;
    this._set('ready', environment);
  }

  /** Show the environment of the kernel again, after another one was chosen. */
  followKernel(): void {
    this._chosen = false;
    void this._resolve();
  }

  /** Read everything again. */
  async refresh(): Promise<void> {
    await this._resolve();
  }

  /** Read the list of environments the server knows. */
  async loadKnown(): Promise<void> {
    try {
      this._known = await this._api.environments();
    } catch {
      this._known = [];
    }
    this.notify();
  }

  override dispose(): void {
    this._attach(null);
    super.dispose();
  }

  private _attach(target: IFollowed | null): void {
    const before = this._followed?.sessionContext;
    if (before) {
      before.kernelChanged.disconnect(this._onKernelChanged, this);
      before.statusChanged.disconnect(this._onStatusChanged, this);
    }
    this._followed = target;
    this._chosen = false;
    this._ofKernel = null;
    if (target && !target.sessionContext.isDisposed) {
      target.sessionContext.kernelChanged.connect(this._onKernelChanged, this);
      target.sessionContext.statusChanged.connect(this._onStatusChanged, this);
    }
    void this._resolve();
  }

  private _onKernelChanged(): void {
    this._ofKernel = null;
    void this._resolve();
  }

  private _onStatusChanged(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'dead') {
      this._set('dead', this._environment);
    } else if (status === 'idle' && this._unconfirmed) {
      void this._confirm(this._attempt);
    } else if (status === 'idle' && this._state === 'dead') {
      void this._resolve();
    } else {
      this.notify();
    }
  }

  private async _resolve(): Promise<void> {
    const attempt = ++this._attempt;
    const chosen = this._chosen ? this._environment : null;
    const kernel = this.kernel;
    if (!this._followed && !chosen) {
      this._set('none', null);
      void this.loadKnown();
      return;
    }
    if (this._state !== 'ready') {
      this._set('loading', this._environment);
    }
    try {
      if (chosen) {
        const again = await this._api.environment(chosen.id);
        if (attempt === this._attempt) {
          this._set('ready', again);
        }
      } else if (kernel) {
        const environment = await this._api.kernelEnvironment(kernel.id);
        if (attempt === this._attempt) {
          this._ofKernel = environment;
          this._set(environment.kind === 'missing' ? 'dead' : 'ready', environment);
          await this._confirm(attempt);
        }
      } else {
        await this.loadKnown();
        if (attempt === this._attempt) {
          this._set('no-kernel', this._fromSpec());
        }
      }
    } catch (error) {
      if (attempt === this._attempt) {
        this._error = errorText(error);
        this._set(isMissingServer(error) ? 'missing-server' : 'error', null);
      }
    }
  }

  /** Ask the kernel itself where it lives; a wrapper script may have led the server astray. */
  private async _confirm(attempt: number): Promise<void> {
    const kernel = this.kernel;
    const environment = this._environment;
    if (!kernel || !environment || environment.language !== 'python' || this._chosen) {
      return;
    }
    this._unconfirmed = true;
    const prefix = await askPrefix(kernel);
    if (attempt !== this._attempt || prefix === null) {
      return;
    }
    this._unconfirmed = false;
    if (prefix !== environment.prefix) {
      try {
        const better = await this._api.kernelEnvironment(kernel.id, prefix);
        if (attempt === this._attempt) {
          this._ofKernel = better;
          this._set(better.kind === 'missing' ? 'dead' : 'ready', better);
        }
      } catch {
        // The server's own finding stands.
      }
    }
  }

  /** The environment a kernel that is not running would start in, read from its kernelspec. */
  private _fromSpec(): IEnvironment | null {
    const name = this._followed?.sessionContext.kernelPreference.name;
    const spec = name ? this._specs.specs?.kernelspecs[name] : undefined;
    if (!spec) {
      return null;
    }
    const metadata = (spec.metadata ?? {}) as Record<string, unknown>;
    const carrel = (metadata.carrel ?? {}) as Record<string, unknown>;
    const hint = carrel.prefix ?? metadata.prefix ?? metadata.conda_env_path;
    const argv0 = spec.argv[0] ?? '';
    return (
      this._known.find(item => item.prefix === hint) ??
      this._known.find(item => argv0.startsWith(`${item.prefix}/`)) ??
      (/^python[\d.]*$/.test(argv0) ? (this._known.find(item => item.is_server_environment) ?? null) : null)
    );
  }

  private _set(state: EnvironmentState, environment: IEnvironment | null): void {
    this._state = state;
    this._environment = environment;
    if (state !== 'error' && state !== 'missing-server') {
      this._error = null;
    }
    this.notify();
    const id = environment?.id ?? null;
    if (id !== this._lastId) {
      this._lastId = id;
      this.environmentChanged.emit(environment);
    }
  }

  /** Emitted when another environment is shown. */
  readonly environmentChanged = new Signal<this, IEnvironment | null>(this);

  private _state: EnvironmentState = 'none';
  private _environment: IEnvironment | null = null;
  private _error: string | null = null;
  private _known: IEnvironment[] = [];
  private _ofKernel: IEnvironment | null = null;
  private _pinned = false;
  private _chosen = false;
  private _unconfirmed = false;
  private _attempt = 0;
  private _lastId: string | null = null;
  private _followed: IFollowed | null = null;
  private _latest: IFollowed | null = null;
}

function isMissingServer(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404 && error.body.code === undefined;
}
