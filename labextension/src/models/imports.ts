import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CarrelApi } from '../api';
import type { IImport } from '../schemas';
import { Model } from './model';

/** Pause after the last edit before imports are looked up, in milliseconds. */
const DEBOUNCE = 1000;

/** Top-level names a Python source imports, in order of appearance. Magics, comments and relative imports are left out. */
export function importedModules(source: string): string[] {
  const found = new Set<string>();
  const plain = source.replace(/("""|''')[\s\S]*?\1/g, '""');
  if (/^\s*%%(?!time|timeit|capture)/.test(plain)) {
    return [];
  }
  for (const line of plain.split(/\n|;/)) {
    const from = /^\s*from\s+([\p{ID_Start}_][\p{ID_Continue}.]*)\s+import\b/u.exec(line);
    if (from) {
      found.add(from[1].split('.')[0]);
      continue;
    }
    const plainImport = /^\s*import\s+(.+)$/u.exec(line.replace(/#.*$/, ''));
    if (plainImport) {
      for (const part of plainImport[1].split(',')) {
        const name = /^\s*([\p{ID_Start}_][\p{ID_Continue}]*)[\p{ID_Continue}.]*(\s+as\s+\S+)?\s*$/u.exec(part);
        if (name) {
          found.add(name[1]);
        }
      }
    }
  }
  return [...found];
}

/** What the focused notebook imports, compared with its environment. */
export class ImportsModel extends Model {
  constructor(private readonly _api: CarrelApi) {
    super();
  }

  /** Imports other than the standard library's and the notebook's own folder's. */
  get items(): readonly IImport[] {
    return this._items.filter(item => item.state === 'installed' || item.state === 'missing');
  }

  get missing(): readonly IImport[] {
    return this._items.filter(item => item.state === 'missing');
  }

  /** Name of the notebook looked at. */
  get path(): string | null {
    return this._panel && !this._panel.isDisposed ? this._panel.context.path : null;
  }

  follow(panel: NotebookPanel | null): void {
    if (panel === this._panel) {
      return;
    }
    if (this._panel && !this._panel.isDisposed) {
      this._panel.context.model.contentChanged.disconnect(this._later, this);
    }
    this._panel = panel;
    this._items = [];
    this._asked = '';
    panel?.context.model.contentChanged.connect(this._later, this);
    this.notify();
    void this.refresh();
  }

  set environment(id: string | null) {
    if (id !== this._environment) {
      this._environment = id;
      this._asked = '';
      void this.refresh();
    }
  }

  /** Look the imports up again, also when they are the same as before. */
  async refresh(force = true): Promise<void> {
    const panel = this._panel;
    if (!panel || panel.isDisposed || !this._environment) {
      return;
    }
    await panel.context.ready;
    const cells = panel.context.model.cells;
    const modules = new Set<string>();
    for (const cell of cells) {
      if (cell.type === 'code') {
        importedModules(cell.sharedModel.getSource()).forEach(name => modules.add(name));
      }
    }
    const asked = [...modules].join();
    if (!force && asked === this._asked) {
      return;
    }
    this._asked = asked;
    this._controller?.abort();
    const controller = (this._controller = new AbortController());
    try {
      const items = modules.size
        ? await this._api.imports(this._environment, [...modules], panel.context.path, controller.signal)
        : [];
      if (!controller.signal.aborted) {
        this._items = items;
        this.notify();
      }
    } catch {
      // Only a hint: an unanswered question leaves the list as it was.
    }
  }

  override dispose(): void {
    window.clearTimeout(this._timer);
    this.follow(null);
    super.dispose();
  }

  private _later(): void {
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this.refresh(false), DEBOUNCE);
  }

  private _panel: NotebookPanel | null = null;
  private _items: IImport[] = [];
  private _asked = '';
  private _environment: string | null = null;
  private _timer = 0;
  private _controller: AbortController | null = null;
}
