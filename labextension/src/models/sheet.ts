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
    jobs.changed.connect(this.notify, this);
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

  /** Stop the job; the sheet is ready again. */
  async cancel(): Promise<void> {
    if (this._jobId && this._state === this._working) {
      await this.jobs.cancel(this._jobId);
    }
  }

  override dispose(): void {
    this.jobs.changed.disconnect(this.notify, this);
    super.dispose();
  }

  /** Start a job and follow it to its end; null when it was cancelled or failed. */
  protected async work<T>(start: () => Promise<IJob<T>>, finish?: (result: T) => void): Promise<T | null> {
    this._error = null;
    this.move(this._working);
    try {
      const job = await start();
      this._jobId = job.id;
      const result = await this.jobs.follow(job);
      finish?.(result);
      this.move('done');
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

  protected fail(error: unknown): void {
    this._error = errorText(error);
    this.move('failed');
  }

  protected move(state: Own | 'ready' | 'done' | 'failed'): void {
    this._state = state;
    this.notify();
  }

  private _state: Own | 'ready' | 'done' | 'failed';
  private _error: string | null = null;
  private _jobId: string | null = null;
}
