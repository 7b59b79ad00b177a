import { describe, expect, it, vi } from 'vitest';
import type { ICarrel } from '../tokens';
import {
  APPLIED,
  carrel,
  chunks,
  done,
  ENVIRONMENT,
  FakeKernel,
  FakeServer,
  job,
  line,
  plan,
  problem,
  session,
  settle
} from './fakes';

const POLARS = { add: [{ name: 'polars', source: 'conda-forge' }] };

async function ready(change = {}): Promise<{ server: FakeServer; all: ICarrel; kernel: FakeKernel; notebook: any }> {
  const server = new FakeServer();
  const all = carrel(server);
  server
    .on('POST environments/env1/plan', () => job('plan'))
    .on('GET jobs/plan-job/log', () => done(plan(change)))
    .on('POST environments/env1/apply', () => job('apply'))
    .on('GET jobs/apply-job/log', () => done(APPLIED));
  const kernel = new FakeKernel();
  const notebook = session(kernel);
  all.environment.follow(notebook);
  await settle();
  return { server, all, kernel, notebook };
}

describe('a change of packages', () => {
  it('that does only what was asked goes straight through', async () => {
    const { server, all } = await ready();
    await all.changes.start(POLARS);
    await settle();
    expect(server.asked('POST environments/env1/plan')[0].body).toEqual({
      ...POLARS,
      remove: [],
      update: [],
      loaded: []
    });
    expect(server.asked('POST environments/env1/apply')[0].body).toEqual({ plan: 'plan1' });
    expect(all.changes.state).toBe('done');
    expect(server.asked('GET environments/env1/packages').length).toBeGreaterThan(1);
  });

  it('with surprises is shown first', async () => {
    const { server, all } = await ready({ needs_confirmation: true });
    await all.changes.start(POLARS);
    expect(all.changes.state).toBe('review');
    expect(server.asked('POST environments/env1/apply')).toEqual([]);
    await all.changes.apply();
    expect(all.changes.state).toBe('done');
  });

  it('can always be shown, and dropped without a trace', async () => {
    const { server, all } = await ready();
    all.changes.alwaysReview = true;
    await all.changes.start(POLARS);
    expect(all.changes.state).toBe('review');
    await all.changes.cancel();
    expect(all.changes.state).toBe('idle');
    expect(server.asked('POST environments/env1/apply')).toEqual([]);
  });

  it('is planned with what the kernel has loaded', async () => {
    const { server, all, kernel } = await ready();
    kernel.answers.modules = `'["json", "numpy"]'`;
    await all.changes.start(POLARS);
    expect(server.asked('POST environments/env1/plan')[0].body.loaded).toEqual(['json', 'numpy']);
    // an environment chosen by hand is not that of the kernel
    await settle();
    all.changes.dismiss();
    all.environment.choose({ ...ENVIRONMENT });
    await all.changes.start(POLARS);
    expect(server.asked('POST environments/env1/plan')[1].body.loaded).toEqual([]);
  });

  it('does not wait long for a kernel that cannot say what it has loaded', async () => {
    const { server, all, kernel } = await ready();
    const never = { done: new Promise(() => undefined) };
    Object.assign(kernel, { status: 'busy', supportsSubshells: true });
    Object.assign(kernel, { clone: () => ({ dispose: () => undefined }), requestCreateSubshell: () => never });
    const started = Date.now();
    void all.changes.start(POLARS);
    await vi.waitFor(() => expect(server.asked('POST environments/env1/plan')).toHaveLength(1), 4000);
    expect(Date.now() - started).toBeLessThan(3500);
    expect(server.asked('POST environments/env1/plan')[0].body.loaded).toEqual([]);
  });

  it('that cannot be solved offers ways out, whose plan is always shown', async () => {
    const { server, all } = await ready();
    const way = {
      id: 'way1',
      text: 'take polars in another version than 9: polars 1.9',
      change: { add: ['polars'], remove: [], update: [] },
      new_environment: false
    };
    const error = { code: 'unsolvable', message: 'm', detail: 'There is no polars 9.', ways_out: [way] };
    server.on('GET jobs/plan-job/log', () =>
      chunks([line({ seq: 1, type: 'state', state: 'failed', result: null, error })])
    );
    await all.changes.start(POLARS);
    expect([all.changes.unsolvable, all.changes.waysOut]).toEqual([true, [way]]);
    server
      .on('POST environments/env1/plan', () => job('plan', { id: 'plan-2' }))
      .on('GET jobs/plan-2/log', () => done(plan()));
    await all.changes.take(way);
    expect(server.asked('POST environments/env1/plan')[1].body).toEqual({ way_out: 'way1', loaded: [] });
    expect([all.changes.state, all.changes.way, all.changes.unsolvable]).toEqual(['review', way, false]);
    expect(server.asked('POST environments/env1/apply')).toEqual([]);
  });

  it('that cannot be solved says why', async () => {
    const { server, all } = await ready();
    const error = { code: 'unsolvable', message: 'm', detail: 'umap-learn needs numba <0.61.' };
    server.on('GET jobs/plan-job/log', () =>
      chunks([line({ seq: 1, type: 'state', state: 'failed', result: null, error })])
    );
    await all.changes.start(POLARS);
    expect(all.changes.state).toBe('failed');
    expect(all.changes.error).toBe(error.detail);
  });

  it('is cancelled on the server', async () => {
    const { server, all } = await ready();
    let finish: (value: Response) => void = () => undefined;
    server.on('GET jobs/apply-job/log', () => new Promise(resolve => (finish = resolve)));
    server.on('DELETE jobs/apply-job', () => {
      finish(chunks([line({ seq: 1, type: 'state', state: 'cancelled', result: null, error: null })]));
    });
    const running = all.changes.start(POLARS);
    await settle();
    expect(all.changes.state).toBe('applying');
    expect(all.changes.concerns('polars')).toBe(true);
    await all.changes.cancel();
    await running;
    expect(all.changes.state).toBe('idle');
  });

  it('is not made when it is cancelled while the kernel is asked', async () => {
    const { server, all, kernel } = await ready();
    let answer: (value: unknown) => void = () => undefined;
    const reply = { done: new Promise(resolve => (answer = resolve)), dispose: () => undefined };
    Object.assign(kernel, { requestExecute: () => reply });
    const running = all.changes.start(POLARS);
    await all.changes.cancel();
    answer({ content: { status: 'ok', user_expressions: {} } });
    await running;
    expect(all.changes.state).toBe('idle');
    expect(server.asked('POST environments/env1/plan')).toEqual([]);
  });

  it('is not made when the server is not told of the cancelling in time', async () => {
    const { server, all } = await ready();
    let begin: (value: unknown) => void = () => undefined;
    server.on('POST environments/env1/plan', () => new Promise(resolve => (begin = resolve)));
    const running = all.changes.start(POLARS);
    await settle();
    await all.changes.cancel();
    begin(job('plan'));
    await running;
    expect(server.asked('DELETE jobs/plan-job')).toHaveLength(1);
    expect(server.asked('POST environments/env1/apply')).toEqual([]);
    expect(all.changes.state).toBe('idle');
  });

  it('is tried again, and led out of, where it was asked for, whatever is shown by then', async () => {
    const { server, all } = await ready();
    const way = { id: 'way1', text: 'w', change: { add: [], remove: [], update: [] }, new_environment: false };
    const error = { code: 'unsolvable', message: 'm', detail: 'There is no polars 9.', ways_out: [way] };
    server.on('GET jobs/plan-job/log', () =>
      chunks([line({ seq: 1, type: 'state', state: 'failed', result: null, error })])
    );
    await all.changes.start(POLARS);
    all.environment.choose({ ...ENVIRONMENT, id: 'env2', name: 'other' });
    await all.changes.retry();
    await all.changes.take(way);
    expect(server.asked('POST environments/env1/plan').map(({ body }) => body.way_out)).toEqual([
      undefined,
      undefined,
      'way1'
    ]);
    expect(server.asked('POST environments/env2/plan')).toEqual([]);
  });

  it('of which the end is not known is not said to have changed nothing', async () => {
    const { server, all } = await ready();
    server.on('GET jobs/apply-job/log', () => problem(503, 'http_503', 'The server is starting.'));
    await all.changes.start(POLARS);
    expect([all.changes.state, all.changes.lost]).toEqual(['failed', true]);
  });

  it('is one at a time', async () => {
    const { server, all } = await ready();
    const first = all.changes.start(POLARS);
    await all.changes.start({ remove: ['numpy'] });
    await first;
    expect(server.asked('POST environments/env1/plan')).toHaveLength(1);
  });
});

describe('the restart line', () => {
  it('stays away when nothing loaded was changed, and new modules are importable', async () => {
    const { all, kernel } = await ready();
    await all.changes.start(POLARS);
    await settle();
    expect(all.changes.restart).toBe('none');
    expect(kernel.asked.some(asked => asked.done?.includes('invalidate_caches'))).toBe(true);
  });

  it('names what is loaded, and goes when the kernel restarts', async () => {
    const { all, kernel, notebook } = await ready();
    kernel.answers.loaded = `'["polars"]'`;
    await all.changes.start(POLARS);
    await settle();
    expect([all.changes.restart, all.changes.loaded]).toEqual(['needed', ['polars']]);
    kernel.status = 'restarting';
    notebook.sessionContext.statusChanged.emit('restarting');
    await settle();
    expect(all.changes.restart).toBe('none');
  });

  it('is about kernels of the environment that was changed', async () => {
    const { server, all, kernel, notebook } = await ready();
    kernel.answers.loaded = `'["polars"]'`;
    const other = new FakeKernel();
    Object.assign(other, { id: 'kernel2', answers: { ...kernel.answers } });
    server.on('GET kernels/kernel2/environment', () => ({ ...ENVIRONMENT, id: 'env2' }));
    server.on('GET environments/env2/packages', () => ({ items: [] }));
    let finish: (value: Response) => void = () => undefined;
    server.on('GET jobs/apply-job/log', () => new Promise(resolve => (finish = resolve)));
    const running = all.changes.start(POLARS);
    await settle();
    all.environment.follow(session(other));
    await settle();
    finish(done(APPLIED));
    await running;
    await settle();
    expect([all.changes.state, all.changes.restart]).toEqual(['done', 'none']);
    expect(other.asked.filter(asked => asked.loaded)).toEqual([]);
    // back at the notebook whose environment it was
    all.environment.follow(notebook);
    await settle();
    expect([all.changes.restart, all.changes.loaded]).toEqual(['needed', ['polars']]);
  });

  it('stays away from the kernel beside an environment that was chosen by hand', async () => {
    const { server, all, kernel } = await ready();
    kernel.answers.loaded = `'["polars"]'`;
    server
      .on('GET environments/env2/packages', () => ({ items: [] }))
      .on('POST environments/env2/plan', () => job('plan'))
      .on('GET jobs/plan-job/log', () => done(plan({ environment: 'env2' })))
      .on('POST environments/env2/apply', () => job('apply'))
      .on('GET jobs/apply-job/log', () => done({ ...APPLIED, environment: 'env2' }));
    all.environment.choose({ ...ENVIRONMENT, id: 'env2', name: 'analysis-copy' });
    await all.changes.start(POLARS);
    await settle();
    expect([all.changes.state, all.changes.restart]).toEqual(['done', 'none']);
  });

  it("is about the kernel's own environment also when that was chosen by hand", async () => {
    const { all, kernel } = await ready();
    kernel.answers.loaded = `'["polars"]'`;
    all.environment.choose({ ...ENVIRONMENT });
    await all.changes.start(POLARS);
    await settle();
    expect(all.changes.restart).toBe('needed');
  });

  it('is decided later when the kernel is busy', async () => {
    const { all, kernel, notebook } = await ready();
    kernel.status = 'busy';
    await all.changes.start(POLARS);
    await settle();
    expect(all.changes.restart).toBe('unknown');
    kernel.status = 'idle';
    kernel.answers.loaded = `'["polars"]'`;
    notebook.sessionContext.statusChanged.emit('idle');
    await settle();
    expect(all.changes.restart).toBe('needed');
  });

  it('is not asked of kernels in other languages', async () => {
    const { server, all, kernel } = await ready();
    server.on('GET kernels/kernel1/environment', () => ({ ...ENVIRONMENT, language: 'R' }));
    await all.environment.refresh();
    kernel.asked.length = 0;
    await all.changes.start(POLARS);
    await settle();
    expect(kernel.asked).toEqual([]);
  });
});

describe('an earlier state', () => {
  it('is brought back by its number, and once more when that failed', async () => {
    const { server, all } = await ready();
    const error = { code: 'busy', message: 'm', detail: 'Somebody else is at it.' };
    server
      .on('POST environments/env1/revisions/3/restore', () => job('restore'))
      .on('GET jobs/restore-job/log', () =>
        chunks([line({ seq: 1, type: 'state', state: 'failed', result: null, error })])
      );
    await all.changes.restore('env1', 3);
    expect([all.changes.state, all.changes.error]).toEqual(['failed', error.detail]);
    server
      .on('POST environments/env1/revisions/3/restore', () => job('restore', { id: 'restore-2' }))
      .on('GET jobs/restore-2/log', () => done(APPLIED));
    await all.changes.retry();
    expect(server.asked('POST environments/env1/revisions/3/restore').length).toBe(2);
    expect(all.changes.state).toBe('done');
  });

  it('is brought back once, however often it is asked for', async () => {
    const { server, all } = await ready();
    server
      .on('POST environments/env1/revisions/3/restore', () => job('restore'))
      .on('GET jobs/restore-job/log', () => done(APPLIED));
    await Promise.all([all.changes.restore('env1', 3), all.changes.restore('env1', 3)]);
    expect(server.asked('POST environments/env1/revisions/3/restore').length).toBe(1);
  });
});
