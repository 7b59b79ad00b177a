import type { CarrelApi } from '../api';
import type { IReproduced, IReview, ISolved } from '../schemas';
import type { JobsModel } from './jobs';
import { SheetModel } from './sheet';

/** A shared notebook or environment looked at, then rebuilt. Nothing is installed before the user asks for it. */
export class ReproduceModel extends SheetModel<'reading' | 'solving' | 'building'> {
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

  /** True for what was captured on another platform alone: it must be solved for this one, and looked at, before it is built. */
  get needsSolve(): boolean {
    const environment = this._review?.environment;
    return environment ? !environment.matches_platform : false;
  }

  /** What it becomes on this platform, once that was found out. */
  get solved(): ISolved | null {
    return this._solved;
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

  /** Find out what it becomes on this platform. Nothing is installed. */
  async solve(): Promise<ISolved | null> {
    const reference = this._agreed();
    if (!reference || !this.needsSolve) {
      return null;
    }
    this._solved = null;
    return this.work(
      () => this._api.solve(reference),
      solved => (this._solved = solved),
      { during: 'solving', after: 'ready' }
    );
  }

  async reproduce(): Promise<IReproduced | null> {
    const reference = this._agreed();
    if (!reference || (this.needsSolve && !this._solved)) {
      return null;
    }
    return this.work(() => this._api.reproduce(reference, this._directory, this._trusted, this.needsSolve));
  }

  /** The exact reference, when nothing is under way and the places it comes from are agreed to. */
  private _agreed(): string | null {
    const review = this._review;
    if (!review || this.working || (this.needsTrust && !this._trusted)) {
      return null;
    }
    return `${review.namespace}/${review.name}@${review.version}`;
  }

  private _review: IReview | null = null;
  private _solved: ISolved | null = null;
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
