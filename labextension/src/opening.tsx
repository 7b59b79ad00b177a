import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { showSheet } from './components/dialog';
import type { IEnvironmentOfComponents } from './components/context';
import { OpenSheet } from './components/OpenSheet';
import type { IReproduced } from './schemas';

/** Show the review sheet of something on the hub, or a sheet to choose it with. Nothing is installed before the user agrees. */
export async function openFromHub(
  app: JupyterFrontEnd,
  provided: IEnvironmentOfComponents,
  options: { reference?: string; directory: string }
): Promise<void> {
  const { hub, trans } = provided.carrel;
  if (!hub.status) {
    await hub.load();
  }
  let result: IReproduced | null = null;
  await showSheet(provided, trans.__('Open from hub'), close => (
    <OpenSheet
      reference={options.reference}
      directory={options.directory}
      onClose={close}
      onDone={done => {
        result = done;
        close();
      }}
    />
  ));
  if (result) {
    await openResult(app, provided, result);
  }
}

/** Open what was rebuilt with its own kernel. The copy is untrusted: its outputs are inert until it is run. */
async function openResult(
  app: JupyterFrontEnd,
  { carrel }: IEnvironmentOfComponents,
  result: IReproduced
): Promise<void> {
  await app.serviceManager.kernelspecs.refreshSpecs();
  const { trans } = carrel;
  if (result.warnings?.length) {
    Notification.warning(result.warnings.join('\n'));
  }
  if (result.path) {
    const kernel = result.kernel_name ? { name: result.kernel_name } : undefined;
    await app.commands.execute('docmanager:open', { path: result.path, factory: 'Notebook', kernel });
  } else {
    Notification.success(
      result.kernel_name
        ? trans.__('The environment is ready: choose the kernel “%1” in any notebook.', result.kernel_name)
        : trans.__('The environment is ready in %1. It holds no kernel.', result.prefix ?? '')
    );
  }
}
