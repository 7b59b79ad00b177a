import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { createServices, linkModels } from '../services';
import type { ICarrel } from '../tokens';
import type { IEnvironment, IJob, IPlan, IStatus, ISearchItem } from '../schemas';

export interface IRequestSeen {
  method: string;
  path: string;
  query: URLSearchParams;
  body: any;
  headers: Headers;
  signal: AbortSignal;
}

type Answer = (request: IRequestSeen) => unknown;

/** A server made of one function per "METHOD path"; it notes what it was asked. */
export class FakeServer {
  readonly seen: IRequestSeen[] = [];
  private readonly _answers = new Map<string, Answer>();

  /** Answer a request; a Response is sent as it is, anything else as JSON. */
  on(route: string, answer: Answer): this {
    this._answers.set(route, answer);
    return this;
  }

  asked(route: string): IRequestSeen[] {
    return this.seen.filter(request => `${request.method} ${request.path}` === route);
  }

  readonly settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/base/',
    fetch: async (input: RequestInfo | URL) => {
      const request = input as Request;
      const url = new URL(request.url);
      const path = url.pathname.replace(/^\/base\/carrel\//, '');
      const text = await request.text();
      const seen: IRequestSeen = {
        method: request.method,
        path,
        query: url.searchParams,
        body: text ? JSON.parse(text) : undefined,
        headers: request.headers,
        signal: request.signal
      };
      this.seen.push(seen);
      const answer = this._answers.get(`${request.method} ${path}`);
      if (!answer) {
        return problem(404, 'not_found', `Nothing at ${path}.`);
      }
      const value = await answer(seen);
      return value instanceof Response ? value : Response.json(value ?? {});
    }
  });
}

export function problem(status: number, code: string, detail: string): Response {
  return Response.json({ status, code, detail, message: detail }, { status });
}

/** A response whose chunks arrive one by one; with `drop` the connection breaks after the last. */
export function chunks(parts: string[], drop = false): Response {
  const encoder = new TextEncoder();
  let next = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (next < parts.length) {
          controller.enqueue(encoder.encode(parts[next++]));
        } else if (drop) {
          controller.error(new TypeError('network error'));
        } else {
          controller.close();
        }
      }
    })
  );
}

export function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

/** The log of a job that succeeds at once. */
export function done(result: unknown): Response {
  return chunks([line({ seq: 1, type: 'state', state: 'done', result, error: null })]);
}

export const ENVIRONMENT: IEnvironment = {
  id: 'env1',
  name: 'analysis',
  prefix: '/envs/analysis',
  kind: 'conda',
  python_version: '3.12.4',
  platform: 'linux-64',
  writable: true,
  reason_read_only: null,
  language: 'python',
  is_server_environment: false,
  package_count: 3
};

export const STATUS: IStatus = {
  version: '0.1.0',
  hub: {
    url: 'http://hub',
    configured: true,
    reachable: true,
    user: { name: 'ann', display_name: 'Ann' },
    namespaces: [
      { name: 'ann', kind: 'user', role: 'owner' },
      { name: 'acme', kind: 'organization', role: 'member' }
    ]
  },
  policy: { allow_install: true, allow_publish: true, reason: null },
  sources: [
    { id: 'acme', type: 'hub', name: 'acme', url: 'http://hub/conda/acme' },
    { id: 'conda-forge', type: 'conda', name: 'conda-forge', url: 'http://channel/conda-forge' }
  ]
};

export function job(kind: IJob['kind'], change: Partial<IJob> = {}): IJob<any> {
  return {
    id: `${kind}-job`,
    kind,
    title: kind,
    environment: 'env1',
    state: 'queued',
    stage: null,
    done: null,
    total: null,
    unit: null,
    created_at: '2026-01-01T00:00:00Z',
    finished_at: null,
    result: null,
    error: null,
    ...change
  };
}

export function result(name: string, change: Partial<ISearchItem> = {}): ISearchItem {
  return {
    name,
    version: '1.0',
    source: 'conda-forge',
    source_type: 'conda',
    channel_name: 'conda-forge',
    kind: 'conda',
    summary: `About ${name}`,
    import_names: [name],
    state: 'available',
    installed_version: null,
    reason: null,
    alternatives: [],
    ...change
  };
}

export function plan(change: Partial<IPlan> = {}): IPlan {
  return {
    id: 'plan1',
    environment: 'env1',
    added: [
      {
        name: 'polars',
        from_version: null,
        to_version: '1.9',
        build: '0',
        source: 'conda-forge',
        channel: 'conda-forge',
        size: 9,
        reason: null
      }
    ],
    changed: [],
    removed: [],
    download_bytes: 84e6,
    disk_bytes: 310e6,
    warnings: [],
    command: 'conda install polars',
    needs_confirmation: false,
    reasons: [],
    ...change
  };
}

export const APPLIED = {
  environment: 'env1',
  revision: 4,
  changed_import_names: ['polars'],
  added: [],
  changed: [],
  removed: []
};

/** A kernel that answers user expressions from a table, and notes what it was asked. */
export class FakeKernel {
  id = 'kernel1';
  status = 'idle';
  isDisposed = false;
  supportsSubshells = false;
  readonly asked: Record<string, string>[] = [];
  answers: Record<string, string> = { prefix: "'/envs/analysis'", done: 'None', loaded: "'[]'" };

  requestExecute(content: { user_expressions: Record<string, string> }): unknown {
    this.asked.push(content.user_expressions);
    const user_expressions = Object.fromEntries(
      Object.keys(content.user_expressions).map(key => [
        key,
        { status: 'ok', data: { 'text/plain': this.answers[key] }, metadata: {} }
      ])
    );
    return { done: Promise.resolve({ content: { status: 'ok', user_expressions } }), dispose: () => undefined };
  }
}

/** A notebook's session as far as the models look at it. */
export function session(kernel: FakeKernel | null, specName = 'python3'): any {
  const context = {
    isDisposed: false,
    session: kernel ? { kernel } : null,
    kernelPreference: { name: specName },
    restartKernel: () => Promise.resolve()
  } as any;
  context.kernelChanged = new Signal(context);
  context.statusChanged = new Signal(context);
  return { sessionContext: context };
}

/** All models against a fake server that knows one environment. */
export function carrel(server: FakeServer): ICarrel {
  server
    .on('GET status', () => STATUS)
    .on('GET environments', () => ({ items: [ENVIRONMENT] }))
    .on('GET kernels/kernel1/environment', () => ENVIRONMENT)
    .on('GET environments/env1', () => ENVIRONMENT)
    .on('GET environments/env1/packages', () => ({ items: [] }))
    .on('GET jobs', () => ({ items: [] }))
    .on('POST imports', () => ({ items: [] }))
    .on('GET hub/search', () => ({ items: [] }));
  const specs = {
    refreshSpecs: () => Promise.resolve(),
    specs: { default: 'python3', kernelspecs: { python3: { argv: ['/envs/analysis/bin/python'], metadata: {} } } }
  };
  const all = createServices({ serverSettings: server.settings, kernelspecs: specs as any }, nullTranslator);
  linkModels(all);
  return all;
}

/** Let promises and zero timers run. */
export async function settle(times = 6): Promise<void> {
  for (let i = 0; i < times; i++) {
    await new Promise(resolve => setTimeout(resolve, 0));
  }
}
