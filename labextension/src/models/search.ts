import type { CarrelApi } from '../api';
import type { IPackageDetails, ISearchItem, ISearchSource } from '../schemas';
import { errorText, Model } from './model';

/** Pause after the last key before a search is sent, in milliseconds. */
export const DEBOUNCE = 150;

/** A search over every source, restarted while the user types. */
export class SearchModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _delay = DEBOUNCE
  ) {
    super();
  }

  get query(): string {
    return this._query;
  }

  set query(value: string) {
    if (value !== this._query) {
      this._query = value;
      this._expanded = null;
      this._active = -1;
      this._schedule(this._delay);
      this.notify();
    }
  }

  /** Sources to ask; empty means all. */
  get sources(): readonly string[] {
    return this._sources;
  }

  set sources(value: readonly string[]) {
    this._sources = [...value];
    this._schedule(0);
    this.notify();
  }

  get environment(): string | null {
    return this._environment;
  }

  set environment(value: string | null) {
    if (value !== this._environment) {
      this._environment = value;
      this._details.clear();
      this._schedule(0);
    }
  }

  get items(): readonly ISearchItem[] {
    return this._items;
  }

  /** Sources that did not answer. */
  get failed(): readonly ISearchSource[] {
    return this._answered.filter(source => !source.ok);
  }

  get answered(): readonly ISearchSource[] {
    return this._answered;
  }

  get suggestion(): string | null {
    return this._suggestion;
  }

  get searching(): boolean {
    return this._searching;
  }

  get error(): string | null {
    return this._error;
  }

  /** True once the list belongs to the present query. */
  get settled(): boolean {
    return !this._searching && this._settledQuery === this._query.trim();
  }

  /** Index of the row the keyboard is on; -1 for the search box itself. */
  get active(): number {
    return this._active;
  }

  set active(value: number) {
    const next = Math.max(-1, Math.min(value, this._items.length - 1));
    if (next !== this._active) {
      this._active = next;
      this.notify();
    }
  }

  /** Key of the row whose details are open. */
  get expanded(): string | null {
    return this._expanded;
  }

  toggle(item: ISearchItem): void {
    const key = rowKey(item);
    this._expanded = this._expanded === key ? null : key;
    this.notify();
    if (this._expanded && !this._details.has(key)) {
      void this._loadDetails(item);
    }
  }

  details(item: ISearchItem): IPackageDetails | Error | undefined {
    return this._details.get(rowKey(item));
  }

  clear(): void {
    this.query = '';
  }

  /** Ask again, for instance after an installation. */
  refresh(): void {
    this._details.clear();
    this._schedule(0);
  }

  override dispose(): void {
    window.clearTimeout(this._timer);
    this._controller?.abort();
    super.dispose();
  }

  private _schedule(delay: number): void {
    window.clearTimeout(this._timer);
    this._controller?.abort();
    if (!this._query.trim()) {
      this._items = [];
      this._answered = [];
      this._suggestion = null;
      this._error = null;
      this._searching = false;
      this._settledQuery = '';
      this.notify();
      return;
    }
    this._searching = true;
    this._timer = window.setTimeout(() => void this._run(), delay);
  }

  private async _run(): Promise<void> {
    const controller = (this._controller = new AbortController());
    const query = this._query.trim();
    try {
      const answer = await this._api.search(query, {
        environment: this._environment,
        source: this._sources,
        limit: 50,
        signal: controller.signal
      });
      if (controller.signal.aborted) {
        return;
      }
      this._items = answer.items;
      this._answered = distinct(answer.sources);
      this._suggestion = answer.suggestion ?? null;
      this._error = null;
    } catch (error) {
      if (controller.signal.aborted) {
        return;
      }
      this._items = [];
      this._error = errorText(error);
    }
    this._settledQuery = query;
    this._searching = false;
    const open = this._items.find(item => rowKey(item) === this._expanded);
    if (open && !this._details.has(rowKey(open))) {
      void this._loadDetails(open);
    }
    this._active = Math.min(this._active, this._items.length - 1);
    this.notify();
  }

  private async _loadDetails(item: ISearchItem): Promise<void> {
    const key = rowKey(item);
    try {
      this._details.set(key, await this._api.details(item.source, item.name, this._environment));
    } catch (error) {
      this._details.set(key, error instanceof Error ? error : new Error(String(error)));
    }
    this.notify();
  }

  private _query = '';
  private _settledQuery = '';
  private _sources: string[] = [];
  private _environment: string | null = null;
  private _items: ISearchItem[] = [];
  private _answered: ISearchSource[] = [];
  private _suggestion: string | null = null;
  private _searching = false;
  private _error: string | null = null;
  private _active = -1;
  private _expanded: string | null = null;
  private readonly _details = new Map<string, IPackageDetails | Error>();
  private _timer = 0;
  private _controller: AbortController | null = null;
}

/** One entry per source; a source asked twice counts as failed when one answer failed. */
function distinct(sources: readonly ISearchSource[]): ISearchSource[] {
  const found = new Map<string, ISearchSource>();
  for (const source of sources) {
    if (found.get(source.id)?.ok !== false) {
      found.set(source.id, source);
    }
  }
  return [...found.values()];
}

/** Identity of a result row. */
export function rowKey(item: ISearchItem): string {
  return `${item.source}\n${item.name}`;
}
