/** The JSON values of publishing, reproducing and the hub; part of {@link ./schemas}. */
import type { INamespace, IWarning } from './schemas';

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
  path: string | null;
  kernel_name: string | null;
  environment: string | null;
  prefix: string | null;
  warnings?: string[];
}

/** What a publication from another platform becomes on this one, and how that differs from what was captured. */
export interface ISolved {
  platform: string;
  captured_on: string;
  solved_as_of: string;
  packages: number;
  download_bytes: number;
  versions: { name: string; from: string; to: string; source: string }[];
  builds: { name: string; from: string; to: string }[];
  missing: { name: string; version: string; source: string }[];
  extra: { name: string; version: string; source: string }[];
  problems: { code: string; message: string; name: string }[];
}

/** The `carrel` entry of a published notebook's metadata. */
export interface ICarrelMetadata {
  hub: string;
  owner: string;
  name: string;
  version: string;
  environment?: string | Record<string, unknown> | null;
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
    /** True when it can be solved anew for this platform. */
    solvable?: boolean;
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
