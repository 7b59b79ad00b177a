import { ReactWidget } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ToolbarButtonComponent } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { CommandIDs } from './commandids';
import { publishIcon } from './icons';
import type { HubModel } from './models/hub';
import { publication } from './models/publish';
import type { ICarrelMetadata } from './schemas';

/** "Publish" in the notebook's toolbar; "Update v7" once it was published. With Alt the sheet is always shown. */
export class PublishButton extends ReactWidget {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _commands: CommandRegistry,
    private readonly _hub: HubModel,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('carrel-PublishButton');
    _hub.changed.connect(this.update, this);
    void _panel.context.ready.then(() => {
      if (!this.isDisposed && _panel.model) {
        _panel.model.metadataChanged.connect(this.update, this);
        this.update();
      }
    });
  }

  override dispose(): void {
    this._hub.changed.disconnect(this.update, this);
    super.dispose();
  }

  protected override render(): JSX.Element {
    const trans = this._trans;
    const published = this._mine();
    const label = published ? trans.__('Update v%1', published.version) : trans.__('Publish');
    const tooltip = published
      ? trans.__('Publish a new version of %1 (Alt: with choices)', `${published.owner}/${published.name}`)
      : trans.__('Publish this notebook with its environment to the hub');
    return (
      <span onClickCapture={event => (this._alt = event.altKey)} data-testid="carrel-publish">
        <ToolbarButtonComponent icon={publishIcon} label={label} tooltip={tooltip} onClick={() => this._run()} />
      </span>
    );
  }

  /** Where the notebook was published, if the user can publish there again. */
  private _mine(): ICarrelMetadata | null {
    const found = this._panel.isDisposed ? null : publication(this._panel);
    const known = this._hub.signedIn;
    return found && (!known || this._hub.namespaces.some(item => item.name === found.owner)) ? found : null;
  }

  private _run(): void {
    // The command acts on the current notebook; a click on a toolbar makes its notebook current.
    void this._commands.execute(this._alt ? CommandIDs.publishAs : CommandIDs.publish);
  }

  private _alt = false;
}
