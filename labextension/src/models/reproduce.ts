import type { CarrelApi } from '../api';
import type { IReproduced, IReview } from '../schemas';
import type { JobsModel } from './jobs';
import { SheetModel } from './sheet';

/** A shared notebook or environment looked at, then rebuilt. Nothing is installed before the user asks for it. */
export class ReproduceModel extends SheetModel<'reading' | 'building'> {
  constructor(
    private readonly _api: CarrelApi,
    jobs: JobsModel,
    readonly reference: string,
    private readonly _directory: string
  ) {
    super(jobs, 'building', 'reading');
  }

  get review(): IReview | null {
    return this._review;
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
    this.move('reading');
    try {
      this._review = await this._api.review(this.reference);
      this.move('ready');
    } catch (error) {
      this.fail(error);
    }
  }

  async reproduce(): Promise<IReproduced | null> {
    const review = this._review;
    if (!review || this.state === 'building' || (this.needsTrust && !this._trusted)) {
      return null;
    }
    const exact = `${review.namespace}/${review.name}@${review.version}`;
    return this.work(() => this._api.reproduce(exact, this._directory, this._trusted));
  }

  private _review: IReview | null = null;
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
