import {
  ILabShell,
  ILayoutRestorer,
  IRouter,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { CommandIDs } from './commandids';
import { addPanelCommands, CATEGORY, NO_ARGS } from './commands';
import { openHubIcon, publishIcon } from './icons';
import { parseReference } from './models/reproduce';
import { openFromHub } from './opening';
import { CarrelPanel } from './panel';
import { PublishButton } from './publishbutton';
import { type IPublishPreferences, publishNotebook } from './publishing';
import type { OutputsChoice, Visibility } from './schemas';
import { createServices, linkModels } from './services';
import { StatusItem } from './statusitem';
import { ICarrel } from './tokens';

export { ICarrel } from './tokens';

/** Place of the panel's tab among the others; third parties use 501 to 899. */
const RANK = 600;

/** Shared models, and the notebook or console they follow. */
const services: JupyterFrontEndPlugin<ICarrel> = {
  id: '@carrel/labextension:services',
  description: 'Models shared by the panel, publishing and the status bar.',
  autoStart: true,
  provides: ICarrel,
  optional: [ITranslator, INotebookTracker, IConsoleTracker, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
    labShell: ILabShell | null
  ): ICarrel => {
    const carrel = createServices(app.serviceManager, translator ?? nullTranslator);
    const follow = () => {
      const widget = labShell ? labShell.currentWidget : app.shell.currentWidget;
      const notebook = notebooks?.currentWidget ?? null;
      const console = consoles?.currentWidget ?? null;
      carrel.environment.follow(console && widget === console ? console : (notebook ?? console));
      carrel.imports.follow(notebook);
    };
    notebooks?.currentChanged.connect(follow);
    consoles?.currentChanged.connect(follow);
    labShell?.currentChanged.connect(follow);
    void app.restored.then(follow);
    return carrel;
  }
};

const panel: JupyterFrontEndPlugin<void> = {
  id: '@carrel/labextension:panel',
  description: "A sidebar panel for the packages of the active kernel's environment.",
  autoStart: true,
  requires: [ICarrel],
  optional: [ICommandPalette, ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    carrel: ICarrel,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null
  ) => {
    const widget = new CarrelPanel(carrel, app.commands);
    widget.firstShown.connect(() => linkModels(carrel));
    app.shell.add(widget, 'left', { rank: RANK, type: 'Packages' });
    restorer?.add(widget, widget.id);
    for (const command of addPanelCommands(app, carrel, widget)) {
      palette?.addItem({ command, category: CATEGORY });
    }
    void settings
      ?.load(panel.id)
      .then(loaded => {
        const read = () => {
          carrel.changes.alwaysReview = loaded.get('reviewEveryChange').composite as boolean;
          carrel.changes.checkRestart = loaded.get('restartPrompt').composite as boolean;
          carrel.environment.pinned = !(loaded.get('followActiveNotebook').composite as boolean);
        };
        loaded.changed.connect(read);
        read();
      })
      .catch(console.error);
  }
};

const publish: JupyterFrontEndPlugin<void> = {
  id: '@carrel/labextension:publish',
  description: 'Publish a notebook with its environment to the hub.',
  autoStart: true,
  requires: [ICarrel, INotebookTracker],
  optional: [ICommandPalette, IToolbarWidgetRegistry, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    carrel: ICarrel,
    notebooks: INotebookTracker,
    palette: ICommandPalette | null,
    toolbars: IToolbarWidgetRegistry | null,
    settings: ISettingRegistry | null
  ) => {
    const { commands } = app;
    const { trans } = carrel;
    const preferences: IPublishPreferences = { visibility: 'private', outputs: 'keep', alwaysAsk: false };
    const run = async (ask: boolean) => {
      const current = notebooks.currentWidget;
      if (current) {
        await publishNotebook({ carrel, commands }, current, preferences, ask);
      }
    };
    commands.addCommand(CommandIDs.publish, {
      label: trans.__('Publish to Hub…'),
      caption: trans.__('Publish this notebook with its environment'),
      icon: publishIcon,
      isEnabled: () => notebooks.currentWidget !== null,
      describedBy: NO_ARGS,
      execute: () => run(false)
    });
    commands.addCommand(CommandIDs.publishAs, {
      label: trans.__('Publish to Hub with Choices…'),
      isEnabled: () => notebooks.currentWidget !== null,
      describedBy: NO_ARGS,
      execute: () => run(true)
    });
    notebooks.currentChanged.connect(() => {
      commands.notifyCommandChanged(CommandIDs.publish);
      commands.notifyCommandChanged(CommandIDs.publishAs);
    });
    toolbars?.addFactory<NotebookPanel>(
      'Notebook',
      'carrel-publish',
      owner => new PublishButton(owner, commands, carrel.hub, trans)
    );
    palette?.addItem({ command: CommandIDs.publish, category: CATEGORY });
    palette?.addItem({ command: CommandIDs.publishAs, category: CATEGORY });
    void settings
      ?.load(publish.id)
      .then(loaded => {
        const read = () => {
          preferences.visibility = loaded.get('defaultVisibility').composite as Visibility;
          preferences.outputs = loaded.get('outputs').composite as OutputsChoice;
          preferences.alwaysAsk = loaded.get('alwaysAsk').composite as boolean;
        };
        loaded.changed.connect(read);
        read();
      })
      .catch(console.error);
  }
};

const open: JupyterFrontEndPlugin<void> = {
  id: '@carrel/labextension:open',
  description: 'Open shared notebooks and environments from the hub.',
  autoStart: true,
  requires: [ICarrel],
  optional: [ICommandPalette, ILauncher, IRouter, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    carrel: ICarrel,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    router: IRouter | null,
    browser: IDefaultFileBrowser | null
  ) => {
    const { commands } = app;
    const { trans } = carrel;
    commands.addCommand(CommandIDs.openHub, {
      label: args => (args.isLauncher ? trans.__('Open from hub') : trans.__('Open from Hub…')),
      caption: trans.__('Open a shared notebook or environment'),
      icon: args => (args.isPalette ? undefined : openHubIcon),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            reference: { type: 'string', description: trans.__('owner/name, owner/name@version or a link') }
          }
        }
      },
      execute: args =>
        openFromHub(
          app,
          { carrel, commands },
          {
            reference: typeof args.reference === 'string' ? args.reference : undefined,
            directory: browser?.model.path ?? ''
          }
        )
    });
    palette?.addItem({ command: CommandIDs.openHub, category: CATEGORY, args: { isPalette: true } });
    launcher?.add({ command: CommandIDs.openHub, category: trans.__('Other'), rank: 10, args: { isLauncher: true } });
    if (router) {
      let pending = false;
      commands.addCommand(CommandIDs.openFromURL, {
        label: trans.__('Review What a Link Names'),
        isVisible: () => false,
        describedBy: NO_ARGS,
        execute: () => {
          if (pending) {
            return;
          }
          pending = true;
          // Not awaited: the layout is restored only after every route was followed, and other routes may change the address.
          void app.restored.then(async () => {
            pending = false;
            const { path, search, hash } = router.current;
            const query = new URLSearchParams(search);
            const reference = parseReference(query.get('hub') ?? '');
            query.delete('hub');
            const rest = query.toString();
            router.navigate(`${path}${rest ? `?${rest}` : ''}${hash}`, { skipRouting: true });
            if (reference) {
              await commands.execute(CommandIDs.openHub, { reference });
            }
          });
        }
      });
      router.register({ command: CommandIDs.openFromURL, pattern: /[?&]hub=/, rank: 30 });
    }
  }
};

const statusbar: JupyterFrontEndPlugin<void> = {
  id: '@carrel/labextension:statusbar',
  description: 'The environment of the active kernel in the status bar.',
  autoStart: true,
  requires: [ICarrel],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, carrel: ICarrel, bar: IStatusBar | null) => {
    bar?.registerStatusItem(statusbar.id, {
      item: new StatusItem(carrel, app.commands),
      align: 'left',
      rank: 3
    });
  }
};

const plugins: JupyterFrontEndPlugin<unknown>[] = [services, panel, publish, open, statusbar];
export default plugins;
