import type { CarrelApi } from '../api';
import type { IReproduced, IReview } from '../schemas';
import { JobFailed, type JobsModel } from './jobs';
import { errorText, Model } from './model';

export type ReviewState = 'reading' | 'ready' | 'building' | 'done' | 'failed';

/** A shared notebook or environment looked at, then rebuilt. Nothing is installed before the user asks for it. */
export class ReproduceModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _jobs: JobsModel,
    readonly reference: string,
    private readonly _directory: string
  ) {
    super();
    _jobs.changed.connect(this.notify, this);
  }

  get state(): ReviewState {
    return this._state;
  }

  get review(): IReview | null {
    return this._review;
  }

  get error(): string | null {
    return this._error;
  }

  get jobId(): string | null {
    return this._jobId;
  }

  /** True once the user agreed to channels this machine has not used before. */
  get trusted(): boolean {
    return this._trusted;
  }

  set trusted(value: boolean) {
    this._trusted = value;
    this.notify();
  }

  get needsTrust(): boolean {
    return (this._review?.environment?.new_channels.length ?? 0) > 0;
  }

  /** Read what the hub has under the reference. */
  async load(): Promise<void> {
    this._set('reading');
    try {
      this._review = await this._api.review(this.reference);
      this._set('ready');
    } catch (error) {
      this._error = errorText(error);
      this._set('failed');
    }
  }

  async reproduce(): Promise<IReproduced | null> {
    const review = this._review;
    if (!review || this._state === 'building' || (this.needsTrust && !this._trusted)) {
      return null;
    }
    this._error = null;
    this._set('building');
    try {
      const exact = `${review.namespace}/${review.name}@${review.version}`;
      const job = await this._api.reproduce(exact, this._directory, this._trusted);
      this._jobId = job.id;
      const result = await this._jobs.follow(job);
      this._set('done');
      return result;
    } catch (error) {
      if (error instanceof JobFailed && error.cancelled) {
        this._set('ready');
      } else {
        this._error = errorText(error);
        this._set('failed');
      }
      return null;
    }
  }

  async cancel(): Promise<void> {
    if (this._jobId && this._state === 'building') {
      await this._jobs.cancel(this._jobId);
    }
  }

  override dispose(): void {
    this._jobs.changed.disconnect(this.notify, this);
    super.dispose();
  }

  private _set(state: ReviewState): void {
    this._state = state;
    this.notify();
  }

  private _state: ReviewState = 'reading';
  private _review: IReview | null = null;
  private _error: string | null = null;
  private _jobId: string | null = null;
  private _trusted = false;
}

/** Accepts `owner/name`, `owner/name@version` and a publication's page; null for anything else. */
export function parseReference(text: string): string | null {
  const value = text.trim();
  if (/^[\w.-]+\/[\w.-]+(@[\w.+!-]+)?$/.test(value)) {
    return value;
  }
  try {
    const url = new URL(value);
    const parts = url.pathname.split('/').filter(Boolean);
    return /^https?:$/.test(url.protocol) && parts.length >= 2 ? value : null;
  } catch {
    return null;
  }
}
