import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { CommandIDs } from './commandids';
import { showSheet } from './components/dialog';
import { HistorySheet } from './components/HistorySheet';
import { carrelIcon } from './icons';
import { HistoryModel } from './models/history';
import { errorText } from './models/model';
import type { CarrelPanel } from './panel';
import type { IRevision } from './schemas';
import type { ICarrel } from './tokens';

/** Palette category of every command. */
export const CATEGORY = 'Carrel';

/** Commands that take no arguments say so to the palette and to other callers. */
export const NO_ARGS = { args: { type: 'object', properties: {} } } as const;

/** Register what the panel can do. Returns the ids to offer in the palette. */
export function addPanelCommands(app: JupyterFrontEnd, carrel: ICarrel, panel: CarrelPanel): string[] {
  const { commands, shell } = app;
  const { trans, environment, changes, copies, packages } = carrel;

  commands.addCommand(CommandIDs.openPanel, {
    label: trans.__('Packages…'),
    caption: trans.__('Find, install and remove packages of the active kernel'),
    icon: carrelIcon,
    describedBy: {
      args: { type: 'object', properties: { query: { type: 'string', description: trans.__('What to search for') } } }
    },
    execute: args => {
      shell.activateById(panel.id);
      panel.focusSearch(typeof args.query === 'string' ? args.query : undefined);
    }
  });
  commands.addCommand(CommandIDs.search, {
    label: trans.__('Search Packages'),
    describedBy: NO_ARGS,
    execute: () => {
      shell.activateById(panel.id);
      panel.focusSearch();
    }
  });
  commands.addCommand(CommandIDs.install, {
    label: trans.__('Install Package'),
    isVisible: () => false,
    describedBy: {
      args: {
        type: 'object',
        required: ['name', 'source'],
        properties: {
          name: { type: 'string', description: trans.__('Name of the package') },
          source: { type: 'string', description: trans.__('Id of the source it comes from') },
          version: { type: 'string', description: trans.__('Exact version; the newest that fits if absent') }
        }
      }
    },
    execute: async args => {
      const { name, source, version } = args as Record<string, string | undefined>;
      if (name && source) {
        shell.activateById(panel.id);
        await changes.start({ add: [{ name, source, ...(version ? { version } : {}) }] });
      }
    }
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Packages'),
    describedBy: NO_ARGS,
    execute: async () => {
      await Promise.all([environment.refresh(), carrel.hub.load()]);
      await packages.load(environment.environment?.id ?? null);
    }
  });
  commands.addCommand(CommandIDs.togglePin, {
    label: trans.__('Keep Showing This Environment'),
    isToggleable: true,
    isToggled: () => environment.pinned,
    describedBy: NO_ARGS,
    execute: () => {
      environment.pinned = !environment.pinned;
      commands.notifyCommandChanged(CommandIDs.togglePin);
    }
  });
  commands.addCommand(CommandIDs.exportEnvironment, {
    label: args => (args.format === 'lock' ? trans.__('Export Lock File…') : trans.__('Export Environment…')),
    isEnabled: () => environment.environment !== null,
    describedBy: {
      args: {
        type: 'object',
        properties: { format: { type: 'string', enum: ['environment.yml', 'lock'], default: 'environment.yml' } }
      }
    },
    execute: async args => {
      const shown = environment.environment;
      if (!shown) {
        return;
      }
      const lock = args.format === 'lock';
      try {
        const text = await carrel.api.exportEnvironment(shown.id, lock ? 'lock' : 'environment.yml');
        saveText(lock ? lockName(shown.kind) : 'environment.yml', text);
      } catch (error) {
        Notification.error(errorText(error));
      }
    }
  });
  commands.addCommand(CommandIDs.copyEnvironment, {
    label: trans.__('Make My Own Copy of the Environment…'),
    isEnabled: () => copies.possible && carrel.hub.policy.allow_install,
    describedBy: NO_ARGS,
    execute: async () => {
      shell.activateById(panel.id);
      await copies.open();
    }
  });
  commands.addCommand(CommandIDs.restoreEnvironment, {
    label: trans.__('Earlier States of the Environment…'),
    isEnabled: () => environment.environment?.writable === true && !changes.busy,
    describedBy: NO_ARGS,
    execute: async () => {
      const shown = environment.environment;
      if (!shown) {
        return;
      }
      const model = new HistoryModel(carrel.api, shown);
      void model.load();
      let chosen: IRevision | null = null;
      await showSheet({ carrel, commands }, trans.__('Earlier states'), close => (
        <HistorySheet
          model={model}
          onClose={close}
          onRestore={revision => {
            chosen = revision;
            close();
          }}
        />
      ));
      model.dispose();
      if (chosen) {
        shell.activateById(panel.id);
        await changes.restore(shown.id, (chosen as IRevision).number);
      }
    }
  });
  commands.addCommand(CommandIDs.signIn, {
    label: trans.__('Sign In to the Hub'),
    isEnabled: () => !carrel.hub.signedIn,
    describedBy: NO_ARGS,
    execute: async () => {
      shell.activateById(panel.id);
      await carrel.hub.load();
      await carrel.hub.startSignIn();
    }
  });
  commands.addCommand(CommandIDs.signOut, {
    label: trans.__('Sign Out of the Hub'),
    isEnabled: () => carrel.hub.signedIn,
    describedBy: NO_ARGS,
    execute: () => carrel.hub.signOut()
  });
  const enable = () => {
    commands.notifyCommandChanged(CommandIDs.copyEnvironment);
    commands.notifyCommandChanged(CommandIDs.exportEnvironment);
    commands.notifyCommandChanged(CommandIDs.restoreEnvironment);
  };
  environment.environmentChanged.connect(enable);
  copies.changed.connect(enable);
  carrel.hub.changed.connect(() => {
    commands.notifyCommandChanged(CommandIDs.signIn);
    commands.notifyCommandChanged(CommandIDs.signOut);
  });
  return [
    CommandIDs.openPanel,
    CommandIDs.search,
    CommandIDs.refresh,
    CommandIDs.togglePin,
    CommandIDs.exportEnvironment,
    CommandIDs.copyEnvironment,
    CommandIDs.restoreEnvironment,
    CommandIDs.signIn,
    CommandIDs.signOut
  ];
}

function lockName(kind: string): string {
  return kind === 'conda' ? 'conda-lock.yml' : 'pylock.toml';
}

/** Offer a text as a download. */
function saveText(filename: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = filename;
  link.click();
  URL.revokeObjectURL(url);
}
