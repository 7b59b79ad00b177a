import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ITranslator } from '@jupyterlab/translation';
import { CarrelApi } from './api';
import { ChangesModel } from './models/changes';
import { CopyModel } from './models/copies';
import { EnvironmentModel } from './models/environment';
import { HubModel } from './models/hub';
import { ImportsModel } from './models/imports';
import { JobsModel } from './models/jobs';
import { PackagesModel } from './models/packages';
import { SearchModel } from './models/search';
import type { ICarrel } from './tokens';

/** Domain of every translated string. */
export const DOMAIN = 'carrel';

/** Create the shared models and the few links between them. Nothing is asked of the server yet. */
export function createServices(
  manager: Pick<JupyterFrontEnd['serviceManager'], 'serverSettings' | 'kernelspecs'>,
  translator: ITranslator
): ICarrel {
  const api = new CarrelApi(manager.serverSettings);
  const environment = new EnvironmentModel(api, manager.kernelspecs);
  const jobs = new JobsModel(api);
  return {
    api,
    trans: translator.load(DOMAIN),
    environment,
    jobs,
    packages: new PackagesModel(api),
    search: new SearchModel(api),
    changes: new ChangesModel(api, jobs, environment),
    copies: new CopyModel(api, jobs, environment, manager.kernelspecs),
    imports: new ImportsModel(api),
    hub: new HubModel(api)
  };
}

/** Keep the lists of the panel about the environment shown, and fresh after a change. */
export function linkModels(carrel: ICarrel): void {
  const { environment, packages, search, imports, changes } = carrel;
  const show = () => {
    const id = environment.environment?.id ?? null;
    void packages.load(id);
    search.environment = id;
    imports.environment = id;
  };
  environment.environmentChanged.connect(show);
  changes.applied.connect(() => {
    void packages.load(environment.environment?.id ?? null);
    search.refresh();
    void imports.refresh();
  });
  show();
}
