import { ellipsesIcon } from '@jupyterlab/ui-components';
import { CommandIDs } from '../commandids';
import { environmentIcon, lockIcon, pinIcon } from '../icons';
import type { IEnvironment } from '../schemas';
import { copyText } from './clipboard';
import { IconButton } from './Button';
import { useCarrel, useCommands, useModel, useTrans } from './context';
import { type MenuEntry, openMenu } from './menu';

/** Which environment the panel works on: name, Python, kind; pin and further actions. */
export function EnvironmentHeader(): JSX.Element {
  const carrel = useCarrel();
  const commands = useCommands();
  const trans = useTrans();
  const model = useModel(carrel.environment);
  const { environment } = model;

  const choose = (at: Element) => {
    void model.loadKnown().then(() => {
      const entries: MenuEntry[] = model.known.map(item => ({
        label: describe(item),
        checked: item.id === environment?.id,
        run: () => model.choose(item)
      }));
      openMenu(
        entries.length ? entries : [{ label: trans.__('No environment found'), run: () => undefined, disabled: true }],
        at
      );
    });
  };

  const more = (at: Element) => {
    const entries: MenuEntry[] = [
      { label: trans.__('Refresh'), run: () => void commands.execute(CommandIDs.refresh) },
      {
        label: trans.__('Copy path'),
        disabled: !environment,
        run: () => copyText(environment!.prefix)
      },
      null,
      {
        label: trans.__('Export environment.yml…'),
        disabled: !environment,
        run: () => void commands.execute(CommandIDs.exportEnvironment, { format: 'environment.yml' })
      },
      {
        label: trans.__('Export lock file…'),
        disabled: !environment,
        run: () => void commands.execute(CommandIDs.exportEnvironment, { format: 'lock' })
      },
      {
        label: trans.__('Make my own copy…'),
        disabled: !commands.isEnabled(CommandIDs.copyEnvironment),
        run: () => void commands.execute(CommandIDs.copyEnvironment)
      },
      {
        label: trans.__('Earlier states…'),
        disabled: !commands.isEnabled(CommandIDs.restoreEnvironment),
        run: () => void commands.execute(CommandIDs.restoreEnvironment)
      }
    ];
    openMenu(entries, at);
  };

  const facts = environment
    ? [
        environment.python_version && trans.__('Python %1', shortVersion(environment.python_version)),
        kindLabel(environment.kind, trans)
      ].filter(Boolean)
    : [];

  return (
    <div className="carrel-Header">
      <button
        type="button"
        className="carrel-Chip"
        title={environment ? environment.prefix : trans.__('Choose an environment')}
        aria-haspopup="menu"
        onClick={event => choose(event.currentTarget)}
      >
        <environmentIcon.react tag="span" className="carrel-Chip-icon" aria-hidden="true" />
        <span className="carrel-Chip-text">
          <span className="carrel-Chip-name" data-testid="carrel-environment-name">
            {environment?.name ?? trans.__('No environment')}
          </span>
          <span className="carrel-Chip-facts">
            {facts.map((fact, index) => (
              <span key={index}>{fact}</span>
            ))}
          </span>
        </span>
        {environment && !environment.writable && (
          <span className="carrel-Chip-lock" title={environment.reason_read_only ?? undefined}>
            <lockIcon.react tag="span" className="carrel-Chip-lockIcon" aria-hidden="true" />
            {trans.__('Read-only')}
          </span>
        )}
      </button>
      <IconButton
        icon={pinIcon}
        testid="carrel-pin"
        label={model.pinned ? trans.__('Follow the active notebook again') : trans.__('Keep showing this environment')}
        aria-pressed={model.pinned}
        className="carrel-Pin"
        onClick={() => (model.pinned = !model.pinned)}
      />
      <IconButton
        icon={ellipsesIcon}
        testid="carrel-environment-menu"
        label={trans.__('Environment actions')}
        aria-haspopup="menu"
        onClick={event => more(event.currentTarget)}
      />
    </div>
  );
}

/** Major and minor number: the part packages depend on. */
export function shortVersion(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function describe(environment: IEnvironment): string {
  return [environment.name, environment.python_version, environment.kind].filter(Boolean).join(' · ');
}

function kindLabel(kind: IEnvironment['kind'], trans: ReturnType<typeof useTrans>): string {
  switch (kind) {
    case 'conda':
      return 'conda';
    case 'venv':
      return 'venv';
    case 'system':
      return trans.__('system');
    case 'remote':
      return trans.__('remote');
    default:
      return trans.__('missing');
  }
}
