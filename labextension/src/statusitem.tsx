import { ReactWidget } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { CommandIDs } from './commandids';
import { CarrelProvider, useCarrel, useCommands, useModel, useTrans } from './components/context';
import { environmentIcon } from './icons';
import type { ICarrel } from './tokens';

/** The environment's name in the status bar, with a dot while something runs or a restart is due. */
export class StatusItem extends ReactWidget {
  constructor(
    private readonly _carrel: ICarrel,
    private readonly _commands: CommandRegistry
  ) {
    super();
    this.addClass('carrel-StatusItem');
  }

  protected override render(): JSX.Element {
    return (
      <CarrelProvider value={{ carrel: this._carrel, commands: this._commands }}>
        <Item />
      </CarrelProvider>
    );
  }
}

function Item(): JSX.Element | null {
  const { environment, jobs, changes } = useCarrel();
  const commands = useCommands();
  const trans = useTrans();
  useModel(environment);
  useModel(jobs);
  useModel(changes);
  const name = environment.environment?.name;
  if (!name) {
    return null;
  }
  const note = jobs.running.length
    ? trans.__('working…')
    : changes.restart === 'needed'
      ? trans.__('restart needed')
      : environment.state === 'dead'
        ? trans.__('no longer exists')
        : null;
  return (
    <button
      type="button"
      className="carrel-StatusItem-button"
      data-testid="carrel-status-item"
      title={trans.__('Packages of %1', environment.environment.prefix)}
      disabled={!commands.hasCommand(CommandIDs.openPanel)}
      onClick={() => void commands.execute(CommandIDs.openPanel)}
    >
      <environmentIcon.react tag="span" className="carrel-StatusItem-icon" aria-hidden="true" />
      <span>{name}</span>
      {note && (
        <span className="carrel-StatusItem-note">
          <span className="carrel-StatusItem-dot" aria-hidden="true" />
          {note}
        </span>
      )}
    </button>
  );
}
