import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type * as wire from './schemas';

/** A refusal of the server: a stable `code` and a sentence that says what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: Record<string, unknown> = {}
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

type Query = Record<string, string | number | readonly string[] | null | undefined>;

interface IRequest {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Longest pause between two attempts to resume a job's log, in milliseconds. */
const MAX_RESUME_DELAY = 8000;

/** Typed client of the server extension. Every call goes through JupyterLab's own connection (authentication, XSRF, base URL). */
export class CarrelApi {
  constructor(
    readonly serverSettings: ServerConnection.ISettings,
    private readonly _resumeDelay = 500
  ) {}

  status(): Promise<wire.IStatus> {
    return this._json('status');
  }

  /** The environment of a kernel; `prefix` is what the kernel itself answered, when it was asked. */
  kernelEnvironment(kernelId: string, prefix?: string): Promise<wire.IEnvironment> {
    const path = `kernels/${encodeURIComponent(kernelId)}/environment`;
    return prefix === undefined ? this._json(path) : this._json(path, { method: 'POST', body: { prefix } });
  }

  async environments(): Promise<wire.IEnvironment[]> {
    return (await this._json<{ items: wire.IEnvironment[] }>('environments')).items;
  }

  environment(id: string): Promise<wire.IEnvironment> {
    return this._json(`environments/${id}`);
  }

  /** Installed packages, or null when nothing changed since the list tagged `etag`. */
  async packages(
    id: string,
    etag?: string | null
  ): Promise<{ items: wire.IInstalledPackage[]; etag: string | null } | null> {
    const response = await this._request(`environments/${id}/packages`, {
      headers: etag ? { 'If-None-Match': etag } : {}
    });
    if (response.status === 304) {
      return null;
    }
    const { items } = (await response.json()) as { items: wire.IInstalledPackage[] };
    return { items, etag: response.headers.get('ETag') };
  }

  /** Plan a change; `loaded` are the modules that the kernel at work has imported. */
  plan(
    id: string,
    change: { add?: { name: string; version?: string; source: string }[]; remove?: string[]; update?: string[] },
    loaded: readonly string[] = []
  ): Promise<wire.IJob<wire.IPlan>> {
    return this._json(`environments/${id}/plan`, {
      method: 'POST',
      body: { add: change.add ?? [], remove: change.remove ?? [], update: change.update ?? [], loaded }
    });
  }

  /** Plan what was offered instead of an impossible change. */
  planWayOut(id: string, way: string, loaded: readonly string[] = []): Promise<wire.IJob<wire.IPlan>> {
    return this._json(`environments/${id}/plan`, { method: 'POST', body: { way_out: way, loaded } });
  }

  apply(id: string, plan: string): Promise<wire.IJob<wire.IApplied>> {
    return this._json(`environments/${id}/apply`, { method: 'POST', body: { plan } });
  }

  /** Make a copy that the person may change, with a kernel; `name` is that of its folder. */
  clone(id: string, name?: string): Promise<wire.IJob<wire.ICloned>> {
    return this._json(`environments/${id}/clone`, { method: 'POST', body: name ? { name } : {} });
  }

  async revisions(id: string): Promise<wire.IRevision[]> {
    return (await this._json<{ items: wire.IRevision[] }>(`environments/${id}/revisions`)).items;
  }

  /** What is different now from a revision. */
  difference(id: string, revision: number, signal?: AbortSignal): Promise<wire.IRevisionDifference> {
    return this._json(`environments/${id}/revisions/${revision}/diff`, { signal });
  }

  restore(id: string, revision: number): Promise<wire.IJob<wire.IApplied>> {
    return this._json(`environments/${id}/revisions/${revision}/restore`, { method: 'POST' });
  }

  async exportEnvironment(id: string, format: 'environment.yml' | 'lock'): Promise<string> {
    return (await this._request(`environments/${id}/export`, { query: { format } })).text();
  }

  search(
    q: string,
    options: { environment?: string | null; source?: readonly string[]; limit?: number; signal?: AbortSignal } = {}
  ): Promise<wire.ISearchResult> {
    const { signal, ...query } = options;
    return this._json('search', { query: { q, ...query }, signal });
  }

  details(
    source: string,
    name: string,
    environment?: string | null,
    signal?: AbortSignal
  ): Promise<wire.IPackageDetails> {
    return this._json(`packages/${encodeURIComponent(source)}/${encodeURIComponent(name)}`, {
      query: { environment },
      signal
    });
  }

  async imports(
    environment: string,
    modules: readonly string[],
    path: string,
    signal?: AbortSignal
  ): Promise<wire.IImport[]> {
    const body = { environment, modules, path };
    return (await this._json<{ items: wire.IImport[] }>('imports', { method: 'POST', body, signal })).items;
  }

  async jobs(): Promise<wire.IJob[]> {
    return (await this._json<{ items: wire.IJob[] }>('jobs')).items;
  }

  job<Result = unknown>(id: string): Promise<wire.IJob<Result>> {
    return this._json(`jobs/${encodeURIComponent(id)}`);
  }

  async cancelJob(id: string): Promise<void> {
    await this._request(`jobs/${encodeURIComponent(id)}`, { method: 'DELETE' });
  }

  /**
   * The lines of a job's log from `after` on, until the job ends.
   *
   * A dropped connection is resumed where it stopped; the pauses grow. Ends without a final `state` line only when aborted
   * or refused.
   */
  async *jobLog(id: string, after = 0, signal?: AbortSignal): AsyncGenerator<wire.JobEvent> {
    let delay = this._resumeDelay;
    for (;;) {
      const before = after;
      try {
        const response = await this._request(`jobs/${encodeURIComponent(id)}/log`, { query: { after }, signal });
        for await (const event of readLines(response)) {
          if (event.seq <= after) {
            continue;
          }
          after = event.seq;
          delay = this._resumeDelay;
          yield event;
          if (event.type === 'state' && isFinal(event.state)) {
            return;
          }
        }
        if (after === before) {
          // The log ended without saying how: the job itself knows, when it is over.
          const { state, result, error } = await this.job(id);
          if (isFinal(state)) {
            yield { seq: after, type: 'state', state, result, error };
            return;
          }
        }
      } catch (error) {
        if (signal?.aborted || error instanceof ApiError) {
          throw error;
        }
      }
      await pause(delay, signal);
      delay = Math.min(delay * 2, MAX_RESUME_DELAY);
    }
  }

  checkPublish(path: string, notebook: unknown, environment: string | null): Promise<wire.IPublishCheck> {
    return this._json('publish/check', { method: 'POST', body: { path, notebook, environment } });
  }

  publish(request: wire.IPublishRequest): Promise<wire.IJob<wire.IPublished>> {
    return this._json('publish', { method: 'POST', body: request });
  }

  async undoPublish(publication: { namespace: string; name: string; version: string }): Promise<void> {
    const { namespace, name, version } = publication;
    await this._request('publish/undo', { method: 'POST', body: { namespace, name, version } });
  }

  async hubSearch(q: string, kinds: readonly string[], signal?: AbortSignal): Promise<wire.IHubItem[]> {
    return (await this._json<{ items: wire.IHubItem[] }>('hub/search', { query: { q, kind: kinds }, signal })).items;
  }

  async releases(reference: string): Promise<wire.IRelease[]> {
    return (await this._json<{ items: wire.IRelease[] }>('hub/releases', { query: { reference } })).items;
  }

  review(reference: string): Promise<wire.IReview> {
    return this._json('reproduce/review', { method: 'POST', body: { reference } });
  }

  /** Find out what a publication from another platform becomes on this one. Nothing is installed. */
  solve(reference: string): Promise<wire.IJob<wire.ISolved>> {
    return this._json('reproduce/solve', { method: 'POST', body: { reference } });
  }

  /** Rebuild a publication; `solve` agrees to one that was solved for this platform. */
  reproduce(
    reference: string,
    directory: string,
    trustChannels: boolean,
    solve = false
  ): Promise<wire.IJob<wire.IReproduced>> {
    const body = { reference, directory, trust_channels: trustChannels, solve };
    return this._json('reproduce', { method: 'POST', body });
  }

  signIn(hubUrl?: string): Promise<wire.ISignInFlow> {
    return this._json('login', { method: 'POST', body: hubUrl ? { hub_url: hubUrl } : {} });
  }

  signInState(flow: string): Promise<{ state: 'pending' | 'done' | 'expired' | 'denied' }> {
    return this._json(`login/${encodeURIComponent(flow)}`);
  }

  async signOut(): Promise<void> {
    await this._request('login', { method: 'DELETE' });
  }

  private async _json<T>(path: string, request: IRequest = {}): Promise<T> {
    const response = await this._request(path, request);
    return (await response.json()) as T;
  }

  private async _request(path: string, request: IRequest = {}): Promise<Response> {
    const { method = 'GET', query, body, headers, signal } = request;
    const url = URLExt.join(this.serverSettings.baseUrl, 'carrel', path) + queryString(query);
    const response = await ServerConnection.makeRequest(
      url,
      {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal
      },
      this.serverSettings
    );
    if (!response.ok && response.status !== 304) {
      throw await asError(response);
    }
    return response;
  }
}

/** True when a job in this state will not change any more. */
export function isFinal(state: wire.JobState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

function queryString(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') {
      continue;
    }
    const values = Array.isArray(value) ? value : [value];
    values.forEach(item => params.append(key, String(item)));
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}

async function asError(response: Response): Promise<ApiError> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // A proxy's page: the status line is all there is.
  }
  const text = (key: string) => {
    const value = body[key];
    return typeof value === 'string' ? value : '';
  };
  const message = text('detail') || text('message') || response.statusText || `HTTP ${response.status}`;
  return new ApiError(response.status, text('code') || String(response.status), message, body);
}

/** Parse newline-delimited JSON while it arrives; blank heartbeat lines are skipped. */
async function* readLines(response: Response): AsyncGenerator<wire.JobEvent> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split('\n');
      rest = done ? '' : lines.pop()!;
      for (const line of lines) {
        if (line.trim()) {
          yield JSON.parse(line) as wire.JobEvent;
        }
      }
      if (done) {
        return;
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(new DOMException('aborted', 'AbortError'));
      },
      { once: true }
    );
  });
}
