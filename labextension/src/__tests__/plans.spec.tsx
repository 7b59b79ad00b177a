import { act, fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { Panel } from '../components/Panel';
import { riskSummary, sortLines } from '../components/risks';
import type { IJobError, IPlan, IPlannedPackage } from '../schemas';
import type { ICarrel } from '../tokens';
import { show, violations } from './drawing';
import { carrel, chunks, done, ENVIRONMENT, FakeKernel, FakeServer, job, line, plan, session, settle } from './fakes';

function package_(name: string, change: Partial<IPlannedPackage> = {}): IPlannedPackage {
  return {
    name,
    from_version: '2.0',
    to_version: '2.1',
    build: '0',
    source: 'conda',
    channel: 'http://channel/conda-forge',
    size: 9,
    reason: null,
    risks: [],
    explanations: [],
    ...change
  };
}

const RISKY: IPlan = plan({
  needs_confirmation: true,
  changed: [
    package_('zlib'),
    package_('pandas', {
      risks: ['loaded'],
      explanations: ['A running kernel has loaded pandas, and pandas changes: restart that kernel afterwards.']
    }),
    package_('numpy', {
      from_version: '2.3',
      to_version: '2.2',
      reason: 'numba 0.61 needs numpy <2.3',
      risks: ['downgrade', 'changes_requested', 'pinned'],
      explanations: ['numpy goes back.', 'numpy changes.', 'numpy is pinned to 2.3 and changes from 2.3 to 2.2.']
    })
  ],
  removed: [
    package_('scipy', {
      to_version: null,
      reason: 'needs numpy >=2.3',
      risks: ['removes_requested'],
      explanations: ['scipy, which you once asked for, would be removed: needs numpy >=2.3.']
    })
  ]
});

async function panel(prepare: (server: FakeServer) => void): Promise<{ server: FakeServer; all: ICarrel }> {
  const server = new FakeServer();
  const all = carrel(server);
  server.on('POST environments/env1/plan', () => job('plan'));
  prepare(server);
  all.environment.follow(session(new FakeKernel()));
  show(all, <Panel />);
  await act(async () => {
    await all.hub.load();
    await settle();
    void all.changes.start({ add: [{ name: 'polars', source: 'conda-forge' }] });
    await settle();
  });
  return { server, all };
}

function failing(error: Partial<IJobError>) {
  const state = { seq: 1, type: 'state', state: 'failed', result: null, error: { message: 'm', ...error } };
  return (server: FakeServer) => void server.on('GET jobs/plan-job/log', () => chunks([line(state)]));
}

describe('a plan with risks', () => {
  it('says them in one line, and shows the gravest first', async () => {
    const { server } = await panel(fake => fake.on('GET jobs/plan-job/log', () => done(RISKY)));
    expect(screen.getByTestId('carrel-risks').textContent).toBe(
      '3 of 5 packages at risk: 1 removed that you asked for, 1 pinned, 1 older version, 1 that you asked for, ' +
        '1 loaded in the kernel'
    );
    const lines = screen.getAllByTestId('carrel-plan-line');
    expect(lines.map(item => item.dataset.name)).toEqual(['scipy', 'numpy', 'pandas', 'zlib', 'polars']);
    expect(await violations()).toEqual([]);
    fireEvent.click(screen.getByTestId('carrel-apply'));
    await act(() => settle());
    expect(server.asked('POST environments/env1/apply')).toHaveLength(1);
  });

  it('gives every line its reason in words, for the ear too', async () => {
    await panel(fake => fake.on('GET jobs/plan-job/log', () => done(RISKY)));
    const [scipy, numpy, pandas] = screen.getAllByTestId('carrel-plan-line').map(item => item.textContent);
    expect(scipy).toContain('Removed:scipy');
    expect(scipy).toContain('At risk:Removed, though you asked for itneeds numpy >=2.3');
    expect(numpy).toContain('Changed:numpy2.3 → 2.2');
    expect(numpy).toContain('At risk:PinnedOlder versionYou asked for it oncenumba 0.61 needs numpy <2.3');
    expect(numpy).toContain('numpy is pinned to 2.3');
    expect(numpy).not.toContain('goes back');
    expect(pandas).toContain('Loaded in the kernelA running kernel has loaded pandas');
    const apply = screen.getByTestId('carrel-apply');
    expect(document.activeElement).toBe(apply);
    expect(document.getElementById(apply.getAttribute('aria-describedby')!)!.textContent).toContain('3 of 5');
  });

  it('is left with Escape', async () => {
    const { server } = await panel(fake => fake.on('GET jobs/plan-job/log', () => done(RISKY)));
    fireEvent.keyDown(screen.getByTestId('carrel-apply'), { key: 'Escape' });
    expect(screen.queryByTestId('carrel-transaction')).toBeNull();
    expect(server.asked('POST environments/env1/apply')).toEqual([]);
  });

  it('has no line about risks when there are none, and keeps codes of a newer server', async () => {
    const { all } = await panel(fake =>
      fake.on('GET jobs/plan-job/log', () => done(plan({ needs_confirmation: true })))
    );
    expect(screen.queryByTestId('carrel-risks')).toBeNull();
    const newer = plan({ changed: [package_('zlib', { risks: ['quantum', 'abi'] })] });
    expect(sortLines(newer).risky).toHaveLength(1);
    expect(riskSummary(newer, all.trans)!.kinds).toBe('1 with another binary interface');
  });
});

describe('a change that is impossible', () => {
  const ERROR = {
    code: 'unsolvable',
    detail: 'No set of packages satisfies this: gamma 1.0 needs alpha <2, and you ask for alpha >=2.',
    ways_out: [
      {
        id: 'way1',
        text: 'take alpha in another version than >=2: alpha 1.9',
        change: { add: ['alpha', 'gamma'], remove: [], update: [] },
        new_environment: false
      },
      {
        text: 'make a new environment for it',
        change: { add: ['alpha >=2', 'gamma'], remove: [], update: [] },
        new_environment: true,
        command: "carrel env create --prefix /envs/analysis-new 'alpha >=2' gamma"
      }
    ]
  };

  it('says which requirement meets which, and offers what is possible', async () => {
    const { server } = await panel(failing(ERROR));
    const sheet = screen.getByTestId('carrel-transaction');
    expect(sheet.textContent).toContain('This change is not possible. Nothing was changed.');
    expect(within(sheet).getByRole('alert').textContent).toContain('gamma 1.0 needs alpha <2');
    const way = screen.getByTestId('carrel-way-out');
    expect(way.textContent).toBe('Take alpha in another version than >=2: alpha 1.9');
    expect(document.activeElement).toBe(way);
    expect(await violations()).toEqual([]);
    server
      .on('POST environments/env1/plan', () => job('plan', { id: 'plan-2' }))
      .on('GET jobs/plan-2/log', () => done(plan()));
    fireEvent.click(way);
    await act(() => settle());
    expect(server.asked('POST environments/env1/plan')[1].body.way_out).toBe('way1');
    expect(screen.getByTestId('carrel-transaction').dataset.state).toBe('review');
  });

  it('gives the command for what needs a new environment', async () => {
    const write = vi.fn(() => Promise.resolve());
    vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText: write } });
    await panel(failing(ERROR));
    const elsewhere = screen.getByTestId('carrel-way-out-elsewhere');
    expect(elsewhere.textContent).toContain('Make a new environment for it');
    fireEvent.click(within(elsewhere).getByRole('button'));
    expect(write).toHaveBeenCalledWith(ERROR.ways_out[1].command);
    vi.unstubAllGlobals();
  });

  it('says so when there is no way out', async () => {
    await panel(failing({ ...ERROR, ways_out: [] }));
    expect(screen.getByTestId('carrel-no-ways-out').textContent).toContain('No way out was found.');
    expect(await violations()).toEqual([]);
  });

  it('names its environment when another one is shown by then', async () => {
    const { all } = await panel(failing(ERROR));
    expect(screen.queryByTestId('carrel-other-environment')).toBeNull();
    act(() => all.environment.choose({ ...ENVIRONMENT, id: 'env2', name: 'other' }));
    expect(screen.getByTestId('carrel-other-environment').textContent).toContain('In the environment analysis');
  });

  it('is not said of a change whose end is not known', async () => {
    await panel(failing({ code: 'interrupted', detail: 'The Jupyter server ended before this was done.' }));
    const sheet = screen.getByTestId('carrel-transaction');
    expect(sheet.textContent).not.toContain('Nothing was changed');
    expect(sheet.textContent).toContain('How this ended is not known.');
  });

  it('speaks of ways out only then', async () => {
    await panel(failing({ code: 'disk_full', detail: 'The disk is full.' }));
    expect(screen.queryByTestId('carrel-no-ways-out')).toBeNull();
    expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy();
  });
});
