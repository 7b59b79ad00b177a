import { describe, expect, it, vi } from 'vitest';
import { JobFailed } from '../models/jobs';
import { importedModules } from '../models/imports';
import { askLoaded, evaluate, NOT_NOW, parseLiteral } from '../models/kernelprobe';
import { normalized } from '../models/packages';
import { parseReference } from '../models/reproduce';
import { SearchModel } from '../models/search';
import { CarrelApi } from '../api';
import {
  carrel,
  chunks,
  done,
  ENVIRONMENT,
  FakeKernel,
  FakeServer,
  job,
  line,
  problem,
  result,
  session,
  settle
} from './fakes';

describe('imports of a notebook', () => {
  it.each([
    ['import numpy as np, pandas', ['numpy', 'pandas']],
    ['import os.path; from sklearn.svm import SVC', ['os', 'sklearn']],
    ['    from a import b  # later', ['a']],
    ['from . import x\nfrom .y import z', []],
    ['"""\nimport hidden\n"""\nimport seen', ['seen']],
    ['# import no\nimport yes # import no', ['yes']],
    ['%%bash\nimport nothing', []],
    ['%matplotlib inline\nimport plt', ['plt']],
    ['important = 1', []],
    ['import números', ['números']]
  ])('%j', (source, expected) => {
    expect(importedModules(source)).toEqual(expected);
  });
});

describe('references', () => {
  it.each(['acme/x', 'acme/x@7', 'http://hub/acme/x', 'https://hub/acme/x/3'])('accepts %s', text => {
    expect(parseReference(` ${text} `)).toBe(text);
  });
  it.each(['', 'acme', 'javascript:alert(1)//a/b', 'a/b c', 'http://hub/', '<b>/x'])('refuses %j', text => {
    expect(parseReference(text)).toBeNull();
  });
});

describe('questions to a kernel', () => {
  it('reads Python literals', () => {
    expect(parseLiteral("'/envs/a'")).toBe('/envs/a');
    expect(parseLiteral('"it\'s"')).toBe("it's");
    expect(parseLiteral(String.raw`'C:\\x\\n \u00e9'`)).toBe('C:\\x\\n é');
    expect(parseLiteral('None')).toBeNull();
  });

  it('lets only identifiers reach the kernel', async () => {
    const kernel = new FakeKernel();
    kernel.answers.loaded = `'["numpy"]'`;
    expect(await askLoaded(kernel as any, ['numpy', 'x"]);evil(["', 'a.b'])).toEqual(['numpy']);
    expect(kernel.asked[0].loaded).toContain('["numpy","a.b"]');
  });

  it('does not wait behind a running cell', async () => {
    const kernel = new FakeKernel();
    kernel.status = 'busy';
    expect(await evaluate(kernel as any, { x: '1' })).toBe(NOT_NOW);
    expect(kernel.asked).toEqual([]);
  });
});

describe('the environment shown', () => {
  it('is that of the focused kernel, confirmed by the kernel', async () => {
    const server = new FakeServer();
    const { environment } = carrel(server);
    environment.follow(session(new FakeKernel()));
    await settle();
    expect(environment.state).toBe('ready');
    expect(environment.environment?.name).toBe('analysis');
    expect(server.asked('POST kernels/kernel1/environment')).toEqual([]);
  });

  it('is corrected when the kernel says otherwise', async () => {
    const server = new FakeServer();
    const { environment } = carrel(server);
    server.on('POST kernels/kernel1/environment', ({ body }) => ({ ...ENVIRONMENT, id: 'env2', prefix: body.prefix }));
    const kernel = new FakeKernel();
    kernel.answers.prefix = "'/envs/real'";
    environment.follow(session(kernel));
    await settle();
    expect(environment.environment?.prefix).toBe('/envs/real');
  });

  it('is confirmed later when the kernel is busy', async () => {
    const server = new FakeServer();
    const { environment } = carrel(server);
    const kernel = new FakeKernel();
    kernel.status = 'busy';
    const notebook = session(kernel);
    environment.follow(notebook);
    await settle();
    expect(environment.state).toBe('ready');
    expect(kernel.asked).toEqual([]);
    kernel.status = 'idle';
    notebook.sessionContext.statusChanged.emit('idle');
    await settle();
    expect(kernel.asked).toHaveLength(1);
  });

  it('stays when pinned and catches up when released', async () => {
    const server = new FakeServer();
    const { environment } = carrel(server);
    server.on('GET kernels/other/environment', () => ({ ...ENVIRONMENT, id: 'env2', name: 'other' }));
    environment.follow(session(new FakeKernel()));
    await settle();
    environment.pinned = true;
    const other = new FakeKernel();
    other.id = 'other';
    environment.follow(session(other));
    await settle();
    expect(environment.environment?.name).toBe('analysis');
    environment.pinned = false;
    await settle();
    expect(environment.environment?.name).toBe('other');
  });

  it('is read from the kernelspec when no kernel runs', async () => {
    const { environment } = carrel(new FakeServer());
    environment.follow(session(null));
    await settle();
    expect(environment.state).toBe('no-kernel');
    expect(environment.environment?.id).toBe('env1');
  });

  it('says that the server side is missing', async () => {
    const server = new FakeServer();
    const { environment } = carrel(server);
    server.on('GET kernels/kernel1/environment', () => new Response('', { status: 404 }));
    environment.follow(session(new FakeKernel()));
    await settle();
    expect(environment.state).toBe('missing-server');
  });

  it('says that the kernel died', async () => {
    const { environment } = carrel(new FakeServer());
    const notebook = session(new FakeKernel());
    environment.follow(notebook);
    await settle();
    notebook.sessionContext.statusChanged.emit('dead');
    expect(environment.state).toBe('dead');
  });
});

describe('installed packages', () => {
  const item = (name: string, change = {}) => ({
    name,
    version: '1',
    build: null,
    source: 'conda' as const,
    channel: null,
    requested: false,
    size: null,
    summary: null,
    import_names: [name],
    location: null,
    ...change
  });

  it('are filtered, sorted and compared by normalized name', async () => {
    const server = new FakeServer();
    const { packages } = carrel(server);
    const items = [item('Zlib'), item('a_b', { requested: true }), item('a-b', { source: 'pypi' })];
    server.on('GET environments/env1/packages', () => ({ items }));
    await packages.load('env1');
    expect(packages.count('requested')).toBe(1);
    expect(packages.count('problems')).toBe(2);
    packages.filter = 'all';
    expect(packages.visible().map(found => found.name)).toEqual(['a_b', 'a-b', 'Zlib']);
    expect(packages.visible('zl')).toHaveLength(1);
    expect(normalized('Foo__Bar.baz')).toBe('foo-bar-baz');
  });

  it('keep the list on "not modified" and drop an answer that comes too late', async () => {
    const server = new FakeServer();
    const { packages } = carrel(server);
    let free: (value: unknown) => void = () => undefined;
    server.on('GET environments/slow/packages', () => new Promise(resolve => (free = resolve)));
    server.on('GET environments/env1/packages', () => ({ items: [item('here')] }));
    const slow = packages.load('slow');
    await settle(1);
    await packages.load('env1');
    free({ items: [item('late')] });
    await slow;
    expect(packages.items.map(found => found.name)).toEqual(['here']);
  });
});

describe('search', () => {
  it('waits for a pause in typing and drops answers to older queries', async () => {
    vi.useFakeTimers();
    const server = new FakeServer().on('GET search', ({ query }) => ({
      items: [result(query.get('q')!)],
      sources: []
    }));
    const search = new SearchModel(new CarrelApi(server.settings), 150);
    for (const query of ['p', 'po', 'pol']) {
      search.query = query;
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(server.seen).toEqual([]);
    expect(search.settled).toBe(false);
    await vi.advanceTimersByTimeAsync(60);
    vi.useRealTimers();
    await settle();
    expect(server.seen.map(seen => seen.query.get('q'))).toEqual(['pol']);
    expect(search.items.map(item => item.name)).toEqual(['pol']);
    expect(search.settled).toBe(true);
    search.clear();
    expect(search.items).toEqual([]);
  });

  it('shows a failure and recovers', async () => {
    const server = new FakeServer().on('GET search', () => problem(500, 'boom', 'Not now.'));
    const search = new SearchModel(new CarrelApi(server.settings), 0);
    search.query = 'x';
    await settle();
    expect(search.error).toBe('Not now.');
    server.on('GET search', () => ({ items: [result('x')], sources: [], suggestion: 'y' }));
    search.query = 'xx';
    await settle();
    expect([search.error, search.items.length, search.suggestion]).toEqual([null, 1, 'y']);
  });
});

describe('jobs', () => {
  it('are followed once and end with their result', async () => {
    const server = new FakeServer().on('GET jobs/apply-job/log', () => done(42));
    const { jobs } = carrel(server);
    const first = jobs.follow(job('apply'));
    const second = jobs.follow(job('apply'));
    expect(await Promise.all([first, second])).toEqual([42, 42]);
    expect(server.asked('GET jobs/apply-job/log')).toHaveLength(1);
    expect(jobs.get('apply-job')?.state).toBe('done');
  });

  it('keep stage, log and the reason of a failure', async () => {
    const server = new FakeServer().on('GET jobs/plan-job/log', () =>
      chunks([
        line({ seq: 1, type: 'log', message: 'hello' }),
        line({ seq: 2, type: 'progress', stage: 'solve', done: 1, total: 4, unit: null, message: null }),
        line({
          seq: 3,
          type: 'state',
          state: 'failed',
          result: null,
          error: { code: 'unsolvable', message: 'm', detail: 'No way.' }
        })
      ])
    );
    const { jobs } = carrel(server);
    const error = (await jobs.follow(job('plan')).catch((reason: unknown) => reason)) as JobFailed;
    expect(error).toBeInstanceOf(JobFailed);
    expect(error.message).toBe('No way.');
    expect(jobs.get('plan-job')).toMatchObject({ log: ['hello'], stage: 'solve', done: 1, state: 'failed' });
  });

  it('that still run are followed after a reload', async () => {
    const server = new FakeServer();
    const { jobs } = carrel(server);
    server.on('GET jobs', () => ({ items: [job('reproduce', { state: 'running' })] }));
    server.on('GET jobs/reproduce-job/log', () => done('there'));
    await jobs.load();
    await settle();
    expect(jobs.get('reproduce-job')).toMatchObject({ state: 'done', result: 'there' });
  });
});
