import { describe, expect, it } from 'vitest';
import { ApiError, CarrelApi } from '../api';
import type { JobEvent } from '../schemas';
import { chunks, FakeServer, job, line, problem } from './fakes';

const END = { seq: 3, type: 'state', state: 'done', result: 7, error: null };
const FIRST = { seq: 1, type: 'log', message: 'één' };
const SECOND = { seq: 2, type: 'progress', stage: 'download', done: 1, total: 2, unit: 'bytes', message: null };

async function all(events: AsyncGenerator<JobEvent>): Promise<JobEvent[]> {
  const found: JobEvent[] = [];
  for await (const event of events) {
    found.push(event);
  }
  return found;
}

describe('requests', () => {
  it('go below the base URL and repeat a key for a list', async () => {
    const server = new FakeServer().on('GET search', () => ({ items: [], sources: [] }));
    await new CarrelApi(server.settings).search('a b', { environment: null, source: ['x', 'y'], limit: 5 });
    const { query } = server.seen[0];
    expect(query.get('q')).toBe('a b');
    expect(query.getAll('source')).toEqual(['x', 'y']);
    expect(query.has('environment')).toBe(false);
  });

  it('escape names', async () => {
    const server = new FakeServer();
    await expect(new CarrelApi(server.settings).details('a/b', '../x')).rejects.toThrow();
    expect(server.seen[0].path).toBe('packages/a%2Fb/..%2Fx');
  });

  it('turn a problem into an error with its code and sentence', async () => {
    const server = new FakeServer().on('GET status', () => problem(503, 'hub_down', 'The hub does not answer.'));
    const error = (await new CarrelApi(server.settings).status().catch((reason: unknown) => reason)) as ApiError;
    expect(error).toBeInstanceOf(ApiError);
    expect([error.status, error.code, error.message]).toEqual([503, 'hub_down', 'The hub does not answer.']);
  });

  it('survive an error page that is not JSON', async () => {
    const server = new FakeServer().on(
      'GET status',
      () => new Response('<html>', { status: 502, statusText: 'Bad Gateway' })
    );
    await expect(new CarrelApi(server.settings).status()).rejects.toThrow('Bad Gateway');
  });

  it('send the tag of the list they have, and know "not modified"', async () => {
    const server = new FakeServer().on('GET environments/e/packages', request =>
      request.headers.get('If-None-Match') === '"1"'
        ? new Response(null, { status: 304 })
        : Response.json({ items: [] }, { headers: { ETag: '"1"' } })
    );
    const api = new CarrelApi(server.settings);
    const first = await api.packages('e');
    expect(first?.etag).toBe('"1"');
    expect(await api.packages('e', first?.etag)).toBeNull();
  });
});

describe('the log of a job', () => {
  it('is read line by line, however the bytes are cut, heartbeats left out', async () => {
    const text = line(FIRST) + '\n' + line(SECOND) + line(END);
    const bytes = [...text].map(character => character);
    const server = new FakeServer().on('GET jobs/j/log', () => chunks(bytes));
    expect(await all(new CarrelApi(server.settings).jobLog('j'))).toEqual([FIRST, SECOND, END]);
  });

  it('is resumed after the last line when the connection drops, without repeats', async () => {
    const server = new FakeServer().on('GET jobs/j/log', request =>
      request.query.get('after') === '0' ? chunks([line(FIRST), line(SECOND)], true) : chunks([line(SECOND), line(END)])
    );
    const events = await all(new CarrelApi(server.settings, 1).jobLog('j'));
    expect(events.map(event => event.seq)).toEqual([1, 2, 3]);
    expect(server.seen.map(request => request.query.get('after'))).toEqual(['0', '2']);
  });

  it('that ends without saying how is completed from the job itself', async () => {
    const server = new FakeServer()
      .on('GET jobs/j/log', () => chunks([]))
      .on('GET jobs/j', () => job('apply', { state: 'failed', error: { code: 'x', message: 'lost' } }));
    const events = await all(new CarrelApi(server.settings, 1).jobLog('j'));
    expect(events).toMatchObject([{ type: 'state', state: 'failed' }]);
  });

  it('stops when it is refused, and when it is aborted', async () => {
    const server = new FakeServer().on('GET jobs/j/log', () => problem(404, 'not_found', 'No such job.'));
    await expect(all(new CarrelApi(server.settings).jobLog('j'))).rejects.toThrow('No such job.');
    const controller = new AbortController();
    const dropping = new FakeServer().on('GET jobs/j/log', () => {
      controller.abort();
      return chunks([line(FIRST)], true);
    });
    await expect(all(new CarrelApi(dropping.settings, 1).jobLog('j', 0, controller.signal))).rejects.toThrow();
    expect(dropping.seen).toHaveLength(1);
  });
});
