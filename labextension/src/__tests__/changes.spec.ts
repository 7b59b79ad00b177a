import { describe, expect, it } from 'vitest';
import { revisionLabel } from '../commands';
import type { IRevision } from '../schemas';
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
    expect(server.asked('POST environments/env1/plan')[0].body).toEqual({ ...POLARS, remove: [], update: [] });
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
  const REVISION: IRevision = {
    number: 3,
    created_at: '2026-11-22T10:00:00Z',
    kind: 'change',
    summary: 'installed numpy',
    request: ['install numpy'],
    user: 'ada',
    program: 'jupyter',
    package_count: 12
  };

  it('is named by its number, what was done, and by whom', async () => {
    const { all } = await ready();
    expect(revisionLabel(REVISION, all.trans)).toMatch(/^3 · .* · installed numpy · ada with jupyter$/);
    expect(revisionLabel({ ...REVISION, user: '' }, all.trans)).toMatch(/installed numpy$/);
  });

  it('is brought back by its number', async () => {
    const { server, all } = await ready();
    server
      .on('POST environments/env1/revisions/3/restore', () => job('restore'))
      .on('GET jobs/restore-job/log', () => done(APPLIED));
    await all.changes.restore('env1', 3);
    expect(server.asked('POST environments/env1/revisions/3/restore').length).toBe(1);
    expect(all.changes.state).toBe('done');
  });
});
