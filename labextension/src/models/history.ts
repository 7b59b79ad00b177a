import type { CarrelApi } from '../api';
import type { IDifference, IEnvironment, IPlan, IPlannedPackage, IRevision } from '../schemas';
import { errorText, Model } from './model';

/** What going back to a revision would do; lines as those of a plan. */
export type Return = Pick<IPlan, 'added' | 'changed' | 'removed'>;

/** The earlier states of an environment, and what going back to one of them would do. */
export class HistoryModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    readonly environment: IEnvironment
  ) {
    super();
  }

  /** Newest first; the first one is what there is now. Null while they are read. */
  get revisions(): readonly IRevision[] | null {
    return this._revisions;
  }

  get error(): string | null {
    return this._error;
  }

  get chosen(): IRevision | null {
    return this._chosen;
  }

  /** What going back to the chosen revision would do; null until it is known. */
  get effect(): Return | null {
    return this._effect;
  }

  /** Why that could not be found out. It can be gone back all the same. */
  get effectError(): string | null {
    return this._effectError;
  }

  /** Read the revisions; the one before the newest is chosen, as for an undo. */
  async load(): Promise<void> {
    this._error = null;
    this.notify();
    try {
      this._revisions = await this._api.revisions(this.environment.id);
    } catch (error) {
      this._error = errorText(error);
    }
    this.notify();
    if (this._revisions && this._revisions.length > 1) {
      await this.choose(this._revisions[1]);
    }
  }

  async choose(revision: IRevision): Promise<void> {
    this._stop?.abort();
    const stop = (this._stop = new AbortController());
    this._chosen = revision;
    this._effect = null;
    this._effectError = null;
    this.notify();
    try {
      const found = await this._api.difference(this.environment.id, revision.number, stop.signal);
      if (!stop.signal.aborted) {
        // The server tells what was done since; going back undoes it.
        this._effect = {
          added: found.removed.map(back),
          changed: found.changed.map(back),
          removed: found.added.map(back)
        };
      }
    } catch (error) {
      if (!stop.signal.aborted) {
        this._effectError = errorText(error);
      }
    }
    this.notify();
  }

  override dispose(): void {
    this._stop?.abort();
    super.dispose();
  }

  private _revisions: IRevision[] | null = null;
  private _error: string | null = null;
  private _chosen: IRevision | null = null;
  private _effect: Return | null = null;
  private _effectError: string | null = null;
  private _stop: AbortController | null = null;
}

function back(line: IDifference): IPlannedPackage {
  return {
    name: line.name,
    from_version: line.to_version,
    to_version: line.from_version,
    from_build: line.to_build,
    build: line.from_build,
    source: line.from_source ?? line.to_source ?? '',
    channel: line.channel,
    size: null,
    reason: null
  };
}
