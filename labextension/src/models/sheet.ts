import type { IJob } from '../schemas';
import { JobFailed, type JobsModel } from './jobs';
import { errorText, Model } from './model';

/** What models of sheets share: where they stand, the last error, and one job that can be followed and cancelled. */
export abstract class SheetModel<Own extends string> extends Model {
  constructor(
    protected readonly jobs: JobsModel,
    private readonly _working: Own,
    initial: Own
  ) {
    super();
    this._state = initial;
    this._current = _working;
    jobs.changed.connect(this.notify, this);
  }

  /** True while a job is at work. */
  get working(): boolean {
    return this._state === this._current;
  }

  get state(): Own | 'ready' | 'done' | 'failed' {
    return this._state;
  }

  get error(): string | null {
    return this._error;
  }

  get jobId(): string | null {
    return this._jobId;
  }

  /** Stop the job, as soon as there is one; the sheet is ready again. */
  async cancel(): Promise<void> {
    if (this.working) {
      this._stopping = true;
      if (this._jobId) {
        await this.jobs.cancel(this._jobId);
      }
    }
  }

  override dispose(): void {
    this.jobs.changed.disconnect(this.notify, this);
    super.dispose();
  }

  /** Start a job and follow it to its end; null when it was cancelled or failed. `states` are those while and after it runs. */
  protected async work<T>(
    start: () => Promise<IJob<T>>,
    finish?: (result: T) => void,
    states: { during?: Own; after?: 'ready' | 'done' } = {}
  ): Promise<T | null> {
    this._error = null;
    this._jobId = null;
    this._stopping = false;
    this._current = states.during ?? this._working;
    this.move(this._current);
    try {
      const job = await start();
      this._jobId = job.id;
      if (this._stopping) {
        await this.jobs.cancel(job.id).catch(() => undefined); // it is followed then, and can be cancelled once more
      }
      const result = await this.jobs.follow(job);
      finish?.(result);
      this.move(states.after ?? 'done');
      return result;
    } catch (error) {
      if (error instanceof JobFailed && error.cancelled) {
        this.move('ready');
      } else {
        this.fail(error);
      }
      return null;
    }
  }

  protected fail(error: unknown, state: Own | 'ready' | 'done' | 'failed' = 'failed'): void {
    this._error = errorText(error);
    this.move(state);
  }

  /** Forget the last error and job. */
  protected forget(): void {
    this._error = null;
    this._jobId = null;
  }

  protected move(state: Own | 'ready' | 'done' | 'failed'): void {
    this._state = state;
    this.notify();
  }

  private _state: Own | 'ready' | 'done' | 'failed';
  private _current: Own;
  private _error: string | null = null;
  private _jobId: string | null = null;
  private _stopping = false;
}
