import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { showSheet } from './components/dialog';
import type { IEnvironmentOfComponents } from './components/context';
import { PublishSheet } from './components/PublishSheet';
import { publication, PublishModel } from './models/publish';
import type { IPublished, OutputsChoice, Visibility } from './schemas';

/** Preferences of the user. */
export interface IPublishPreferences {
  visibility: Visibility;
  outputs: OutputsChoice;
  alwaysAsk: boolean;
}

/** Time a notification with "Undo" stays, in milliseconds. */
const UNDO_TIME = 20000;

/**
 * Publish a notebook.
 *
 * The first time, and whenever there is something to decide, the sheet is shown. An update with nothing found goes straight to
 * where the notebook was published before.
 */
export async function publishNotebook(
  provided: IEnvironmentOfComponents,
  panel: NotebookPanel,
  preferences: IPublishPreferences,
  ask = false
): Promise<void> {
  const { carrel } = provided;
  const { api, jobs, hub, trans } = carrel;
  await hub.load();
  const policy = hub.policy;
  if (!policy.allow_publish) {
    Notification.warning(policy.reason || trans.__('Publishing is switched off on this server.'));
    return;
  }
  // eslint-disable-next-line jupyter/require-disposable-ownership -- disposed of in `finally` below
  const model = new PublishModel(api, jobs, panel, () => environmentOf(provided, panel), preferences);
  try {
    if (!(await model.save())) {
      return;
    }
    if (publication(panel) && hub.signedIn && !ask && !preferences.alwaysAsk) {
      const file = panel.context.path.split('/').pop() ?? '';
      const id = Notification.emit(trans.__('Publishing %1…', file), 'in-progress', { autoClose: false });
      await model.prepare();
      const result = model.unattended ? await model.publish() : null;
      Notification.dismiss(id);
      if (result) {
        announce(provided, model, result);
        return;
      }
    }
    await showSheet(provided, trans.__('Publish'), close => (
      <PublishSheet model={model} onClose={close} onOpenCell={index => openCell(panel, index, close)} />
    ));
    if (model.result) {
      announce(provided, model, model.result);
    }
  } finally {
    model.dispose();
  }
}

function announce({ carrel }: IEnvironmentOfComponents, model: PublishModel, result: IPublished): void {
  const { trans } = carrel;
  const name = `${result.namespace}/${result.name}`;
  const view = { label: trans.__('View'), callback: () => void window.open(result.url, '_blank', 'noopener') };
  const copy = { label: trans.__('Copy link'), callback: () => Clipboard.copyToSystem(result.url) };
  if (result.unchanged) {
    Notification.info(trans.__('Nothing changed: %1 is already version %2.', name, result.version), {
      actions: [view, copy]
    });
    return;
  }
  result.warnings.forEach(text => Notification.warning(text, { autoClose: false }));
  Notification.success(trans.__('Published %1, version %2.', name, result.version), {
    autoClose: UNDO_TIME,
    actions: [
      view,
      copy,
      {
        label: trans.__('Undo'),
        callback: () =>
          void model.undo().then(
            () => Notification.info(trans.__('Version %1 of %2 was taken back.', result.version, name)),
            error => Notification.error(String((error as Error).message))
          )
      }
    ]
  });
}

/** The environment to publish with a notebook: its running kernel's, else the one the panel shows for it. */
async function environmentOf({ carrel }: IEnvironmentOfComponents, panel: NotebookPanel): Promise<string | null> {
  const { api, environment } = carrel;
  const kernel = panel.sessionContext.session?.kernel;
  if (environment.sessionContext === panel.sessionContext && environment.environment) {
    return usable(environment.environment.kind) ? environment.environment.id : null;
  }
  if (!kernel) {
    return null;
  }
  try {
    const found = await api.kernelEnvironment(kernel.id);
    return usable(found.kind) ? found.id : null;
  } catch {
    return null;
  }
}

function usable(kind: string): boolean {
  return kind !== 'remote' && kind !== 'missing';
}

function openCell(panel: NotebookPanel, index: number, close: () => void): void {
  close();
  panel.content.activeCellIndex = index;
  const cell = panel.content.widgets[index];
  if (cell) {
    void panel.content.scrollToCell(cell);
  }
  panel.activate();
}
