/**
 * The JSON values exchanged with the `carrel` Jupyter Server extension.
 *
 * Field names are the wire's. Nothing here is computed in the browser.
 */

export type * from './sharingschemas';

/** Package installer families an environment can use. */
export type EnvironmentKind = 'conda' | 'venv' | 'system' | 'remote' | 'missing';

/** What the server knows about one environment. */
export interface IEnvironment {
  id: string;
  name: string;
  prefix: string;
  kind: EnvironmentKind;
  python_version: string | null;
  platform: string | null;
  writable: boolean;
  reason_read_only: string | null;
  language: string;
  is_server_environment: boolean;
  package_count: number | null;
}

/** A place packages come from, in order of preference. */
export interface ISource {
  id: string;
  type: 'hub' | 'conda' | 'pypi';
  name: string;
  url: string;
}

/** A namespace the signed-in user can publish to. */
export interface INamespace {
  name: string;
  kind: 'user' | 'organization';
  role: 'owner' | 'member';
  display_name?: string | null;
}

/** The hub as seen from the Jupyter server. */
export interface IHubStatus {
  url: string | null;
  configured: boolean;
  reachable: boolean;
  user: { name: string; display_name?: string | null } | null;
  namespaces: INamespace[];
  error?: string | null;
}

/** What an administrator allows. */
export interface IPolicy {
  allow_install: boolean;
  allow_publish: boolean;
  reason?: string | null;
}

export interface IStatus {
  version: string;
  hub: IHubStatus;
  policy: IPolicy;
  sources: ISource[];
}

/** One installed distribution. */
export interface IInstalledPackage {
  name: string;
  version: string;
  build: string | null;
  source: 'conda' | 'pypi';
  channel: string | null;
  requested: boolean;
  size: number | null;
  summary: string | null;
  import_names: string[];
  location: string | null;
}

export type SearchState = 'available' | 'installed' | 'update' | 'incompatible';

export interface ISearchItem {
  name: string;
  version: string;
  source: string;
  source_type: ISource['type'];
  channel_name: string;
  kind: string;
  summary: string | null;
  import_names: string[];
  state: SearchState;
  installed_version: string | null;
  reason: string | null;
  alternatives: { source: string; version: string }[];
}

export interface ISearchSource {
  id: string;
  ok: boolean;
  error: string | null;
  took_ms: number;
}

export interface ISearchResult {
  items: ISearchItem[];
  sources: ISearchSource[];
  suggestion?: string | null;
}

export interface IPackageVersion {
  version: string;
  build?: string | null;
  published_at: string | null;
  size: number | null;
  installable: boolean;
  reason: string | null;
}

export interface IPackageDetails {
  name: string;
  source: string;
  summary: string | null;
  description: string | null;
  license: string | null;
  home_page: string | null;
  versions: IPackageVersion[];
  dependencies: { spec: string; satisfied: boolean | null }[];
  urls: Record<string, string>;
}

export interface IPlannedPackage {
  name: string;
  from_version: string | null;
  to_version: string | null;
  build: string | null;
  source: string;
  channel: string | null;
  size: number | null;
  reason: string | null;
  from_build?: string | null;
  /** What it takes on disk afterwards, about. */
  disk_bytes?: number | null;
  /** `downgrade`, `removal`, `removes_requested`, `changes_requested`, `source`, `pinned`, `loaded`, `abi`. */
  risks?: string[];
  /** The risks in sentences, one for each. */
  explanations?: string[];
}

export interface IWarning {
  code: string;
  message: string;
}

export interface IPlan {
  id: string;
  environment: string;
  added: IPlannedPackage[];
  changed: IPlannedPackage[];
  removed: IPlannedPackage[];
  download_bytes: number;
  disk_bytes: number;
  warnings: IWarning[];
  command: string;
  needs_confirmation: boolean;
  /** Why to look at it first, beyond what its lines tell. */
  reasons: string[];
}

export interface IApplied {
  environment: string;
  /** Number of the revision this made. */
  revision: number | null;
  changed_import_names: string[];
  added: IPlannedPackage[];
  changed: IPlannedPackage[];
  removed: IPlannedPackage[];
}

export interface ICloned {
  environment: IEnvironment;
  /** Null when nothing in the environment is a kernel. */
  kernel_name: string | null;
}

export type JobKind = 'plan' | 'apply' | 'restore' | 'clone' | 'publish' | 'solve' | 'reproduce';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface IJobError {
  code: string;
  message: string;
  detail?: string | null;
  /** Of an impossible change: other changes, each tried. */
  ways_out?: IWayOut[];
}

/** A change that is possible instead of one that is not. */
export interface IWayOut {
  text: string;
  change: { add: string[]; remove: string[]; update: string[] };
  new_environment: boolean;
  /** Names the way in a plan; absent where it leads to a new environment. */
  id?: string;
  /** What makes the new environment in a terminal. */
  command?: string;
}

export interface IJob<Result = unknown> {
  id: string;
  kind: JobKind;
  title: string;
  environment: string | null;
  state: JobState;
  stage: string | null;
  done: number | null;
  total: number | null;
  unit: string | null;
  created_at: string;
  finished_at: string | null;
  result: Result | null;
  error: IJobError | null;
}

/** One line of a job's log. `seq` rises by one from line to line. */
export type JobEvent =
  | {
      seq: number;
      type: 'progress';
      stage: string;
      done: number | null;
      total: number | null;
      unit: string | null;
      message: string | null;
    }
  | { seq: number; type: 'log'; message: string }
  | {
      seq: number;
      type: 'state';
      state: JobState;
      result: unknown;
      error: IJobError | null;
    };

export interface IImport {
  module: string;
  state: 'installed' | 'missing' | 'stdlib' | 'local';
  package?: string | null;
  version?: string | null;
  source?: string | null;
}

/** One change of an environment, and the state after it. */
export interface IRevision {
  number: number;
  created_at: string;
  kind: 'created' | 'found' | 'change' | 'restore' | 'outside';
  summary: string;
  request: string[];
  user: string;
  program: string;
  package_count: number;
}

/** How one package differs between two states of an environment. */
export interface IDifference {
  name: string;
  from_version: string | null;
  to_version: string | null;
  from_build: string | null;
  to_build: string | null;
  from_source: string | null;
  to_source: string | null;
  channel: string | null;
}

/** What is different now, or in revision `other`, from a revision. */
export interface IRevisionDifference {
  revision: number;
  other: number | null;
  added: IDifference[];
  changed: IDifference[];
  removed: IDifference[];
}
