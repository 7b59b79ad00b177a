import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import type { CarrelApi } from '../api';
import type { IApplied, IEnvironment, IJob, IJobError, IPlan, IWayOut } from '../schemas';
import type { EnvironmentModel } from './environment';
import { type JobsModel, JobFailed } from './jobs';
import { askLoaded, askModules, invalidateCaches, NOT_NOW } from './kernelprobe';
import { errorText, Model } from './model';

/** A change of packages the user asked for. */
export interface IChange {
  add?: { name: string; version?: string; source: string }[];
  remove?: string[];
  update?: string[];
}

export type ChangeState = 'idle' | 'planning' | 'review' | 'applying' | 'done' | 'failed';

/** Whether the kernel must be restarted to see what was changed. */
export type RestartState = 'none' | 'needed' | 'unknown';

/**
 * One change of an environment at a time: plan, show what is surprising, apply, then find out whether the running kernel has
 * loaded something that is now different on disk.
 */
export class ChangesModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _jobs: JobsModel,
    private readonly _environment: EnvironmentModel
  ) {
    super();
    _environment.changed.connect(this._onEnvironment, this);
  }

  get state(): ChangeState {
    return this._state;
  }

  get change(): IChange {
    return this._change;
  }

  /** The environment that {@link change} is for, whichever is shown meanwhile; null when it goes back to an earlier state. */
  get subject(): IEnvironment | null {
    return this._subject;
  }

  get plan(): IPlan | null {
    return this._plan;
  }

  /** The job under way, or the one that failed. */
  get jobId(): string | null {
    return this._jobId;
  }

  get error(): string | null {
    return this._error;
  }

  /** True when the change is impossible: {@link error} says which requirement meets which. */
  get unsolvable(): boolean {
    return this._failure?.code === 'unsolvable';
  }

  /** True when the job cannot be followed any more, or its server went away in the middle: it may have changed something. */
  get lost(): boolean {
    return this._failure?.code === 'lost' || this._failure?.code === 'interrupted';
  }

  /** What is possible instead of the change that failed, each tried by the server. */
  get waysOut(): readonly IWayOut[] {
    return this._failure?.ways_out ?? [];
  }

  /** The way out that is being planned or was planned. */
  get way(): IWayOut | null {
    return this._way;
  }

  get result(): IApplied | null {
    return this._result;
  }

  /** Names loaded in the kernel whose files changed. */
  get loaded(): readonly string[] {
    return this._loaded;
  }

  get restart(): RestartState {
    return this._kernelId === this._environment.kernel?.id ? this._restart : 'none';
  }

  get busy(): boolean {
    return this._state === 'planning' || this._state === 'applying';
  }

  /** True for a package the change under way was asked for. */
  concerns(name: string): boolean {
    const { add = [], remove = [], update = [] } = this._change;
    return this.busy && (add.some(item => item.name === name) || remove.includes(name) || update.includes(name));
  }

  /** When true every plan is shown before it is applied. */
  alwaysReview = false;

  /** When false the kernel is not asked whether it must be restarted. */
  checkRestart = true;

  /** Emitted when packages of an environment changed. */
  readonly applied = new Signal<this, IApplied>(this);

  /** Plan a change; a plan that does only what was asked is applied at once. */
  async start(change: IChange): Promise<void> {
    await this._start(change, null, this._environment.environment);
  }

  /** Plan what was offered instead of an impossible change. */
  async take(way: IWayOut): Promise<void> {
    if (way.id) {
      await this._start(this._change, way, this._subject);
    }
  }

  /** Do once more what failed: going back, or the plan; after a way out, that of the change it was offered for. */
  async retry(): Promise<void> {
    if (this._restoring) {
      await this.restore(...this._restoring);
    } else {
      await this._start(this._change, null, this._subject);
    }
  }

  private async _start(change: IChange, way: IWayOut | null, subject: IEnvironment | null): Promise<void> {
    if (!subject || this.busy) {
      return;
    }
    const { id } = subject;
    this._subject = subject;
    this._change = change;
    this._way = way;
    this._restoring = null;
    this._plan = null;
    this._result = null;
    await this._guard('planning', async () => {
      const loaded = await this._loadedModules(id);
      const plan = await this._follow<IPlan>(() =>
        way?.id ? this._api.planWayOut(id, way.id, loaded) : this._api.plan(id, change, loaded)
      );
      if (this._stopping) {
        throw new Stopped();
      }
      this._plan = plan;
      if (plan.needs_confirmation || this.alwaysReview || way) {
        this._set('review');
      } else {
        await this._run(plan);
      }
    });
  }

  /** Apply the plan that was shown. */
  async apply(): Promise<void> {
    const plan = this._plan;
    if (plan && this._state === 'review') {
      await this._guard('applying', () => this._run(plan));
    }
  }

  /** Leave the sheet, or stop the job under way: before packages are linked nothing has happened yet. */
  async cancel(): Promise<void> {
    if (!this.busy) {
      this.dismiss();
      return;
    }
    this._stopping = true; // when there is no job yet, or the next one of two is being asked for
    if (this._jobId) {
      await this._jobs.cancel(this._jobId);
    }
  }

  dismiss(): void {
    this._plan = null;
    this._error = null;
    this._failure = null;
    this._way = null;
    this._set('idle');
  }

  /** Bring back the packages of a revision. */
  async restore(environment: string, revision: number): Promise<void> {
    if (this.busy) {
      return;
    }
    this._change = {};
    this._way = null;
    this._subject = null;
    this._restoring = [environment, revision];
    await this._guard('applying', async () => {
      await this._finish(await this._follow(() => this._api.restore(environment, revision)));
    });
  }

  later(): void {
    this._restart = 'none';
    this._loaded = [];
    this._pending.clear();
    this.notify();
  }

  /** What the kernel at work has imported, so that a plan can tell which changes it would not see. */
  private async _loadedModules(id: string): Promise<string[]> {
    const kernel = this._environment.chosen ? null : this._kernelOf(id);
    return kernel && this.checkRestart ? askModules(kernel) : [];
  }

  /** The Python kernel in front, when an environment is its own; that of another one has nothing to do with a change there. */
  private _kernelOf(id: string | null): Kernel.IKernelConnection | null {
    const { ofKernel, kernel } = this._environment;
    return ofKernel?.id === id && ofKernel?.language === 'python' ? kernel : null;
  }

  private async _run(plan: IPlan): Promise<void> {
    this._set('applying');
    await this._finish(await this._follow(() => this._api.apply(plan.environment, plan.id)));
  }

  /** Start a job and follow it to its end; nothing is started, or what was is stopped, when the user cancelled meanwhile. */
  private async _follow<Result>(start: () => Promise<IJob<Result>>): Promise<Result> {
    this._jobId = null;
    if (this._stopping) {
      throw new Stopped();
    }
    const job = await start();
    this._jobId = job.id;
    this.notify();
    if (this._stopping) {
      await this._jobs.cancel(job.id).catch(() => undefined); // it is followed then, and can be cancelled once more
    }
    return this._jobs.follow(job);
  }

  private async _finish(result: IApplied): Promise<void> {
    this._result = result;
    if (this._pendingOf !== result.environment) {
      this._pendingOf = result.environment;
      this._pending.clear();
    }
    (result.changed_import_names ?? []).forEach(name => this._pending.add(name));
    this._set('done');
    this.applied.emit(result);
    await this._check();
  }

  /** Ask the kernel which changed names it holds; asked again when it is idle, or in front, if it cannot answer now. */
  private async _check(): Promise<void> {
    const kernel = this._kernelOf(this._pendingOf);
    if (!kernel || this._checking) {
      return;
    }
    if (kernel.id !== this._kernelId) {
      this._kernelId = kernel.id;
      this._loaded = [];
      this._restart = 'none';
    }
    void invalidateCaches(kernel).catch(() => undefined);
    if (this._pending.size === 0 || !this.checkRestart) {
      this._pending.clear();
      return;
    }
    this._checking = true;
    const asked = [...this._pending];
    const loaded = await askLoaded(kernel, asked).catch((): typeof NOT_NOW => NOT_NOW);
    this._checking = false;
    if (kernel.id !== this._kernelId) {
      return;
    }
    if (loaded === NOT_NOW) {
      this._restart = 'unknown';
    } else {
      asked.forEach(name => this._pending.delete(name));
      this._loaded = [...new Set([...this._loaded, ...loaded])];
      this._restart = this._loaded.length > 0 ? 'needed' : 'none';
    }
    this.notify();
  }

  private _onEnvironment(): void {
    const { kernel } = this._environment;
    const status = kernel?.status;
    if (kernel?.id === this._kernelId && (status === 'restarting' || status === 'autorestarting')) {
      if (this._restart !== 'none') {
        this.later();
      }
    } else if (status === 'idle' && this._pending.size > 0) {
      void this._check();
    }
  }

  private async _guard(state: ChangeState, work: () => Promise<void>): Promise<void> {
    this._error = null;
    this._failure = null;
    this._jobId = null;
    this._stopping = false;
    this._set(state);
    try {
      await work();
    } catch (error) {
      if (error instanceof Stopped || (error instanceof JobFailed && error.cancelled)) {
        this.dismiss();
        return;
      }
      this._error = errorText(error);
      this._failure = error instanceof JobFailed ? error.job.error : null;
      this._set('failed');
    }
  }

  private _set(state: ChangeState): void {
    this._state = state;
    this.notify();
  }

  private _state: ChangeState = 'idle';
  private _change: IChange = {};
  private _subject: IEnvironment | null = null;
  private _plan: IPlan | null = null;
  private _jobId: string | null = null;
  private _stopping = false;
  private _error: string | null = null;
  private _failure: IJobError | null = null;
  private _way: IWayOut | null = null;
  private _restoring: [environment: string, revision: number] | null = null;
  private _result: IApplied | null = null;
  private _loaded: string[] = [];
  private _restart: RestartState = 'none';
  private _kernelId: string | null = null;
  private _checking = false;
  /** Names that were changed, of which the kernel was not asked yet, and the environment they are in. */
  private readonly _pending = new Set<string>();
  private _pendingOf: string | null = null;
}

/** The user cancelled before there was a job to cancel. */
class Stopped extends Error {}
