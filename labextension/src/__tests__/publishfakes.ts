import { vi } from 'vitest';
import type { IPublishCheck } from '../schemas';

export const CHECK: IPublishCheck = {
  findings: [],
  defaults: {
    namespace: 'ann',
    name: 'analysis',
    visibility: 'private',
    version_note: null,
    is_update: false,
    latest_version: null
  },
  namespaces: [{ name: 'ann', kind: 'user', role: 'owner' }],
  environment: { kind: 'conda', package_count: 84, pypi_count: 3, platform: 'linux-64', problems: [] },
  warnings: [],
  outputs_bytes: 1200000,
  data_files: [{ path: 'data/a.csv', size: 10 }]
};
export const FINDING = {
  id: 'f1',
  cell: 2,
  where: 'source',
  kind: 'AWS key',
  masked: 'AKIA…',
  strong: true,
  line: 1
} as const;
export const PUBLISHED = {
  url: 'http://hub/ann/analysis/1',
  namespace: 'ann',
  name: 'analysis',
  version: '1',
  unchanged: false,
  metadata: { hub: 'http://hub', owner: 'ann', name: 'analysis', version: '1' },
  warnings: []
};

/** A notebook panel as far as publishing looks at it. */
export function notebook(metadata: Record<string, unknown> = {}): any {
  const model = {
    dirty: true,
    getMetadata: (key: string) => metadata[key],
    setMetadata: (key: string, value: unknown) => (metadata[key] = value),
    deleteMetadata: (key: string) => delete metadata[key],
    toJSON: () => ({ cells: [], metadata })
  };
  return {
    isDisposed: false,
    model,
    context: {
      path: 'work/analysis.ipynb',
      isDisposed: false,
      ready: Promise.resolve(),
      save: vi.fn(async () => undefined),
      model
    }
  };
}
