import { Signal } from '@lumino/signaling';
import { type CarrelApi, isFinal } from '../api';
import type { IJob, JobEvent } from '../schemas';
import { errorText, Model } from './model';

/** Most log lines kept per job. */
const MAX_LOG = 500;

/** A job of the server and what its log said so far. */
export interface ITrackedJob<Result = unknown> extends IJob<Result> {
  log: string[];
  /** What the current stage said last. */
  message: string | null;
}

/** A job ended without a result. */
export class JobFailed extends Error {
  constructor(readonly job: ITrackedJob) {
    super(job.error?.detail || job.error?.message || job.title);
    this.name = 'JobFailed';
  }

  get cancelled(): boolean {
    return this.job.state === 'cancelled';
  }
}

/** Running and past jobs. Each is followed once, whoever waits for it. */
export class JobsModel extends Model {
  constructor(private readonly _api: CarrelApi) {
    super();
  }

  /** Newest first. */
  get items(): readonly ITrackedJob[] {
    return [...this._jobs.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
  }

  get running(): readonly ITrackedJob[] {
    return this.items.filter(job => !isFinal(job.state));
  }

  /** Emitted once per job, when it ends. */
  readonly finished = new Signal<this, ITrackedJob>(this);

  get(id: string): ITrackedJob | undefined {
    return this._jobs.get(id);
  }

  /** Read the server's list and follow what still runs, as after a reload of the page. */
  async load(): Promise<void> {
    const jobs = await this._api.jobs();
    for (const job of jobs) {
      if (!this._jobs.has(job.id)) {
        this._put(job);
        if (!isFinal(job.state)) {
          void this.follow(job).catch(() => undefined);
        }
      }
    }
    this.notify();
  }

  /** Follow a job to its end; resolves with its result, rejects with {@link JobFailed}. */
  follow<Result>(job: IJob<Result>): Promise<Result> {
    let waiting = this._waiting.get(job.id) as Promise<Result> | undefined;
    if (!waiting) {
      this._put(job);
      this.notify();
      waiting = this._watch<Result>(job.id);
      this._waiting.set(job.id, waiting);
    }
    return waiting;
  }

  /** Read the log of a job that ended before this page was loaded. */
  async loadLog(id: string): Promise<void> {
    if (this._jobs.get(id)?.log.length === 0) {
      for await (const event of this._api.jobLog(id, 0, this._stop.signal)) {
        if (event.type === 'log') {
          this._note(id, event);
        }
      }
    }
  }

  async cancel(id: string): Promise<void> {
    await this._api.cancelJob(id);
  }

  override dispose(): void {
    this._stop.abort();
    super.dispose();
  }

  private async _watch<Result>(id: string): Promise<Result> {
    try {
      if (!isFinal(this._jobs.get(id)!.state)) {
        for await (const event of this._api.jobLog(id, 0, this._stop.signal)) {
          this._note(id, event);
        }
      }
    } catch (error) {
      if (this._stop.signal.aborted) {
        throw error;
      }
      this._merge(id, { state: 'failed', error: { code: 'lost', message: errorText(error) } });
    }
    const job = this._jobs.get(id)!;
    this.finished.emit(job);
    if (job.state !== 'done') {
      throw new JobFailed(job);
    }
    return job.result as Result;
  }

  private _note(id: string, event: JobEvent): void {
    const job = this._jobs.get(id)!;
    if (event.type === 'log') {
      this._merge(id, { log: [...job.log, event.message].slice(-MAX_LOG) });
    } else if (event.type === 'progress') {
      const { stage, done, total, unit, message } = event;
      this._merge(id, { state: 'running', stage, done, total, unit, message });
    } else {
      const { state, result, error } = event;
      const end = isFinal(state) ? { finished_at: new Date().toISOString() } : {};
      this._merge(id, { state, result, error, ...end });
    }
  }

  private _merge(id: string, change: Partial<ITrackedJob>): void {
    this._jobs.set(id, { ...this._jobs.get(id)!, ...change });
    this.notify();
  }

  private _put(job: IJob): void {
    this._jobs.set(job.id, { ...job, log: [], message: null });
  }

  private readonly _jobs = new Map<string, ITrackedJob>();
  private readonly _waiting = new Map<string, Promise<unknown>>();
  private readonly _stop = new AbortController();
}

/** How much of a job is done: a number from 0 to 1, or null when it cannot be said. */
export function fraction(job: IJob): number | null {
  return job.total && job.done !== null ? Math.min(1, job.done / job.total) : null;
}
