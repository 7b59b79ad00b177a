import type { CarrelApi } from '../api';
import type { IInstalledPackage } from '../schemas';
import { errorText, Model } from './model';

/** Which installed packages are listed. */
export type InstalledFilter = 'requested' | 'all' | 'pip' | 'problems';

/** The packages installed in one environment. */
export class PackagesModel extends Model {
  constructor(private readonly _api: CarrelApi) {
    super();
  }

  get items(): readonly IInstalledPackage[] {
    return this._items;
  }

  get loading(): boolean {
    return this._loading;
  }

  get error(): string | null {
    return this._error;
  }

  get filter(): InstalledFilter {
    return this._filter;
  }

  set filter(value: InstalledFilter) {
    this._filter = value;
    this.notify();
  }

  /** Names installed twice, by conda and by pip: one shadows the other. */
  get duplicated(): ReadonlySet<string> {
    return this._duplicated;
  }

  /** The packages of the chosen filter whose name or import name contains `text`. */
  visible(text = ''): IInstalledPackage[] {
    const wanted = text.trim().toLowerCase();
    return this._items.filter(item => this._matchesFilter(item) && matches(item, wanted));
  }

  count(filter: InstalledFilter): number {
    return this._items.filter(item => this._matchesFilter(item, filter)).length;
  }

  find(name: string): IInstalledPackage | undefined {
    const wanted = normalized(name);
    return this._items.find(item => normalized(item.name) === wanted);
  }

  /** Read the list of `id`; an answer for an environment left meanwhile is dropped. */
  async load(id: string | null): Promise<void> {
    const same = id === this._id;
    this._id = id;
    if (!same) {
      this._replace([]);
      this._etag = null;
    }
    if (id === null) {
      this._loading = false;
      this.notify();
      return;
    }
    this._loading = true;
    this._error = null;
    this.notify();
    try {
      const answer = await this._api.packages(id, this._etag);
      if (id !== this._id) {
        return;
      }
      if (answer) {
        this._etag = answer.etag;
        this._replace(answer.items);
      }
    } catch (error) {
      if (id === this._id) {
        this._error = errorText(error);
      }
    }
    if (id === this._id) {
      this._loading = false;
      this.notify();
    }
  }

  private _replace(items: IInstalledPackage[]): void {
    this._items = [...items].sort((a, b) => a.name.localeCompare(b.name, 'en', { sensitivity: 'base' }));
    const seen = new Set<string>();
    this._duplicated = new Set();
    for (const item of this._items) {
      const name = normalized(item.name);
      (seen.has(name) ? this._duplicated : seen).add(name);
    }
  }

  private _matchesFilter(item: IInstalledPackage, filter = this._filter): boolean {
    switch (filter) {
      case 'requested':
        return item.requested;
      case 'pip':
        return item.source === 'pypi';
      case 'problems':
        return this._duplicated.has(normalized(item.name));
      default:
        return true;
    }
  }

  private _items: IInstalledPackage[] = [];
  private _duplicated = new Set<string>();
  private _id: string | null = null;
  private _etag: string | null = null;
  private _loading = false;
  private _error: string | null = null;
  private _filter: InstalledFilter = 'requested';
}

/** A name as package indexes compare it (PEP 503). */
export function normalized(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function matches(item: IInstalledPackage, text: string): boolean {
  return (
    !text || item.name.toLowerCase().includes(text) || item.import_names.some(name => name.toLowerCase().includes(text))
  );
}
