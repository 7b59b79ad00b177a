import { ReactWidget } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { type ISignal, Signal } from '@lumino/signaling';
import { CarrelProvider } from './components/context';
import { Panel } from './components/Panel';
import { carrelIcon } from './icons';
import type { ICarrel } from './tokens';

/** Id of the panel's widget, and of its tab in the sidebar. */
export const PANEL_ID = 'carrel-panel';

/** The sidebar panel. It may be moved to the other side, the main area or below. */
export class CarrelPanel extends ReactWidget {
  constructor(
    private readonly _carrel: ICarrel,
    private readonly _commands: CommandRegistry
  ) {
    super();
    const { trans } = _carrel;
    this.id = PANEL_ID;
    this.addClass('carrel-Panel');
    this.title.icon = carrelIcon;
    this.title.caption = trans.__('Packages');
    this.title.label = '';
    this.node.tabIndex = -1;
  }

  /** Emitted once, when the panel is seen for the first time. */
  get firstShown(): ISignal<this, void> {
    return this._firstShown;
  }

  /** Put the keyboard into the search box, with a query if one is given. */
  focusSearch(query?: string): void {
    if (query !== undefined) {
      this._carrel.search.query = query;
    }
    this.node.querySelector<HTMLInputElement>('.carrel-Search-input')?.focus();
  }

  protected override render(): JSX.Element {
    return (
      <CarrelProvider value={{ carrel: this._carrel, commands: this._commands }}>
        <Panel />
      </CarrelProvider>
    );
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._wake();
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.focusSearch();
  }

  /** Nothing is asked of the server before the panel is looked at. */
  private _wake(): void {
    if (!this._awake) {
      this._awake = true;
      this._firstShown.emit();
      void this._carrel.hub.load();
      void this._carrel.jobs.load().catch(() => undefined);
    }
  }

  private readonly _firstShown = new Signal<this, void>(this);
  private _awake = false;
}
