/**
 * The JSON values exchanged with the `carrel` Jupyter Server extension.
 *
 * Field names are the wire's. Nothing here is computed in the browser.
 */

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
  /** `downgrade`, `removes_requested`, `changes_requested`, `pinned`, `loaded`, `abi`. */
  risks?: string[];
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

export interface IPublished {
  url: string;
  namespace: string;
  name: string;
  version: string;
  unchanged: boolean;
  metadata: ICarrelMetadata;
  warnings: string[];
}

export interface IReproduced {
  path: string;
  kernel_name: string;
  environment: string;
  prefix: string;
}

/** The `carrel` entry of a published notebook's metadata. */
export interface ICarrelMetadata {
  hub: string;
  owner: string;
  name: string;
  version: string;
  environment?: string | Record<string, unknown> | null;
}

export type JobKind = 'plan' | 'apply' | 'restore' | 'clone' | 'publish' | 'reproduce';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface IJobError {
  code: string;
  message: string;
  detail?: string | null;
  /** Of an impossible change: other changes, each tried. */
  ways_out?: {
    text: string;
    change: { add: string[]; remove: string[]; update: string[] };
    new_environment: boolean;
  }[];
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
  kind: 'found' | 'change' | 'restore' | 'outside';
  summary: string;
  request: string[];
  user: string;
  program: string;
  package_count: number;
}

export type FindingDecision = 'redact' | 'remove_output' | 'not_secret';
export type OutputsChoice = 'keep' | 'images' | 'clear';
export type Visibility = 'private' | 'organization' | 'unlisted' | 'public';

/** A possible secret. `masked` is safe to show; the value stays on the server. */
export interface IFinding {
  id: string;
  cell: number | null;
  where: 'source' | 'output' | 'metadata' | 'attachment' | 'environment';
  kind: string;
  masked: string;
  strong: boolean;
  line: number | null;
  /** Path of a data file the finding is in. */
  file?: string;
}

export interface IPublishCheck {
  findings: IFinding[];
  defaults: {
    namespace: string | null;
    name: string;
    visibility: Visibility;
    version_note: string | null;
    is_update: boolean;
    latest_version: string | null;
  };
  namespaces: INamespace[];
  environment: {
    kind: string;
    package_count: number;
    pypi_count: number;
    platform: string;
    problems: (string | IWarning)[];
  } | null;
  warnings: IWarning[];
  outputs_bytes: number;
  data_files: { path: string; size: number }[];
}

export interface IPublishRequest {
  path: string;
  notebook: unknown;
  environment: string | null;
  namespace: string;
  name: string;
  visibility: Visibility;
  message: string;
  summary: string;
  outputs: OutputsChoice;
  decisions: Record<string, FindingDecision>;
  data_files: string[];
}

/** A package of the hub as its search shows it. */
export interface IHubItem {
  namespace: string;
  name: string;
  kinds: string[];
  summary: string | null;
  latest_version: string | null;
  visibility: Visibility;
  updated_at: string | null;
  import_names?: string[];
  url: string;
}

export interface IRelease {
  namespace: string;
  package: string;
  version: string;
  state: 'draft' | 'published';
  message: string | null;
  published_at: string | null;
  published_by: string | null;
  url: string;
}

export interface IReview {
  namespace: string;
  name: string;
  version: string;
  title: string | null;
  published_by: string | null;
  published_at: string | null;
  visibility: Visibility;
  message: string | null;
  url: string;
  notebook: { filename: string; size: number; cells: number } | null;
  preview_html: string | null;
  environment: {
    kind: string;
    platform: string;
    matches_platform: boolean;
    package_count: number;
    python_version: string | null;
    packages: { name: string; version: string; source: string; channel: string | null }[];
    channels: string[];
    new_channels: string[];
    download_bytes: number;
    already_built: boolean;
  } | null;
  warnings: IWarning[];
}

/** A device sign-in under way: the user types `user_code` on the hub's page. */
export interface ISignInFlow {
  user_code: string;
  verification_uri_complete: string;
  interval: number;
  flow: string;
}
