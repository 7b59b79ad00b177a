import { Token } from '@lumino/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CarrelApi } from './api';
import type { ChangesModel } from './models/changes';
import type { CopyModel } from './models/copies';
import type { EnvironmentModel } from './models/environment';
import type { HubModel } from './models/hub';
import type { ImportsModel } from './models/imports';
import type { JobsModel } from './models/jobs';
import type { PackagesModel } from './models/packages';
import type { SearchModel } from './models/search';

/** The models every part of the front end shares, so that two views never disagree. */
export interface ICarrel {
  readonly api: CarrelApi;
  readonly trans: TranslationBundle;
  readonly environment: EnvironmentModel;
  readonly packages: PackagesModel;
  readonly search: SearchModel;
  readonly jobs: JobsModel;
  readonly changes: ChangesModel;
  readonly copies: CopyModel;
  readonly imports: ImportsModel;
  readonly hub: HubModel;
}

/** Shared models of Carrel; other extensions can require this to show or change packages. */
export const ICarrel = new Token<ICarrel>(
  '@carrel/labextension:ICarrel',
  "Packages of the active kernel's environment, running jobs and the hub."
);
