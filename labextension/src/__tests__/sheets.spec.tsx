import { act, fireEvent, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { HistorySheet } from '../components/HistorySheet';
import { OpenSheet } from '../components/OpenSheet';
import { HistoryModel } from '../models/history';
import type { IRevision } from '../schemas';
import { show, violations } from './drawing';
import { carrel, chunks, done, ENVIRONMENT, FakeServer, job, line, problem, settle } from './fakes';

const REVIEW = {
  namespace: 'acme',
  name: 'model',
  version: '7',
  title: null,
  published_by: 'ben',
  published_at: null,
  visibility: 'public',
  message: null,
  url: 'http://hub/acme/model',
  notebook: null,
  preview_html: null,
  warnings: [{ code: 'platform_mismatch', message: 'Captured elsewhere.' }],
  environment: {
    kind: 'conda',
    platform: 'osx-arm64',
    matches_platform: false,
    solvable: true,
    package_count: 3,
    python_version: '3.12',
    packages: [],
    channels: [],
    new_channels: [] as string[],
    download_bytes: 5,
    already_built: false
  }
};
const SOLVED = {
  platform: 'linux-64',
  captured_on: 'osx-arm64',
  solved_as_of: '2026-03-04T00:00:00Z',
  packages: 4,
  download_bytes: 12e6,
  versions: [{ name: 'libblas', from: '3.9', to: '3.8', source: 'conda' }],
  builds: [{ name: 'python', from: 'a', to: 'b' }],
  missing: [{ name: 'appnope', version: '0.1.4', source: 'conda' }],
  extra: [{ name: 'libgcc', version: '15', source: 'conda' }],
  problems: []
};

describe('a publication without a lock for this platform', () => {
  async function opened(change = {}) {
    const server = new FakeServer();
    const all = carrel(server);
    const finished = vi.fn();
    server
      .on('POST reproduce/review', () => ({ ...REVIEW, environment: { ...REVIEW.environment, ...change } }))
      .on('POST reproduce/solve', () => job('solve'))
      .on('GET jobs/solve-job/log', () => done(SOLVED))
      .on('POST reproduce', () => job('reproduce'))
      .on('GET jobs/reproduce-job/log', () => done({ path: 'model.ipynb', kernel_name: 'k' }));
    show(all, <OpenSheet reference="acme/model" directory="" onClose={vi.fn()} onDone={finished} />);
    await act(() => settle());
    return { server, finished };
  }

  it('is solved first, what differs is shown, and then it is built', async () => {
    const { server, finished } = await opened();
    expect(screen.queryByTestId('carrel-reproduce-submit')).toBeNull();
    const solve = screen.getByTestId('carrel-solve');
    expect([solve.textContent, document.activeElement]).toEqual(['Solve for this platform', solve]);
    expect(await violations()).toEqual([]);
    fireEvent.submit(screen.getByTestId('carrel-review-sheet'));
    await act(() => settle());
    expect(server.asked('POST reproduce/solve')[0].body).toEqual({ reference: 'acme/model@7' });
    expect(server.asked('POST reproduce')).toEqual([]);
    expect(screen.getByTestId('carrel-solved').textContent).toContain('2 of 4 packages have the captured version.');
    const rows = screen.getAllByTestId('carrel-solved-row').map(row => [...row.children].map(cell => cell.textContent));
    expect(rows).toEqual([
      ['libblas', '3.9', '3.8'],
      ['appnope', '0.1.4', 'not there'],
      ['libgcc', 'not there', '15']
    ]);
    expect(await violations()).toEqual([]);
    const build = screen.getByTestId('carrel-reproduce-submit');
    expect([build.textContent, document.activeElement]).toEqual(['Build and open', build]);
    fireEvent.submit(screen.getByTestId('carrel-review-sheet'));
    await act(() => settle());
    expect(server.asked('POST reproduce')[0].body).toMatchObject({ reference: 'acme/model@7', solve: true });
    expect(finished).toHaveBeenCalled();
  });

  it('asks no channel before it is trusted', async () => {
    const { server } = await opened({ new_channels: ['http://channel'] });
    expect((screen.getByTestId('carrel-solve') as HTMLButtonElement).disabled).toBe(true);
    fireEvent.submit(screen.getByTestId('carrel-review-sheet'));
    await act(() => settle());
    expect(server.asked('POST reproduce/solve')).toEqual([]);
    fireEvent.click(screen.getByTestId('carrel-trust'));
    expect((screen.getByTestId('carrel-solve') as HTMLButtonElement).disabled).toBe(false);
  });

  it('says why there is no solution, and solving can be cancelled', async () => {
    const { server } = await opened();
    let finish: (value: Response) => void = () => undefined;
    server
      .on('GET jobs/solve-job/log', () => new Promise(resolve => (finish = resolve)))
      .on('DELETE jobs/solve-job', () =>
        finish(chunks([line({ seq: 1, type: 'state', state: 'cancelled', result: null, error: null })]))
      );
    fireEvent.click(screen.getByTestId('carrel-solve'));
    await act(() => settle());
    fireEvent.click(screen.getByTestId('carrel-review-cancel'));
    await act(() => settle());
    expect(server.asked('DELETE jobs/solve-job')).toHaveLength(1);
    const error = { code: 'unsolvable', message: 'm', detail: 'There is no appnope for linux-64.' };
    server
      .on('POST reproduce/solve', () => job('solve', { id: 'solve-2' }))
      .on('GET jobs/solve-2/log', () =>
        chunks([line({ seq: 1, type: 'state', state: 'failed', result: null, error })])
      );
    fireEvent.click(screen.getByTestId('carrel-solve'));
    await act(() => settle());
    expect(screen.getByRole('alert').textContent).toContain('There is no appnope for linux-64.');
    expect(screen.queryByTestId('carrel-reproduce-submit')).toBeNull();
  });
});

describe('earlier states', () => {
  const revision = (number: number, summary: string): IRevision => ({
    number,
    created_at: '2026-11-22T10:00:00Z',
    kind: 'change',
    summary,
    request: [],
    user: number ? 'ada' : '',
    program: 'jupyter',
    package_count: 12
  });
  const PACKAGE = { from_build: null, to_build: null, from_source: 'conda', to_source: 'conda', channel: null };

  async function opened(revisions: IRevision[], prepare?: (server: FakeServer) => void) {
    const server = new FakeServer();
    const all = carrel(server);
    server
      .on('GET environments/env1/revisions', () => ({ items: revisions }))
      .on('GET environments/env1/revisions/1/diff', () => ({
        added: [{ ...PACKAGE, name: 'polars', from_version: null, to_version: '1.9', from_source: null }],
        changed: [{ ...PACKAGE, name: 'numpy', from_version: '2.2', to_version: '2.3' }],
        removed: []
      }))
      .on('GET environments/env1/revisions/0/diff', () => ({ added: [], changed: [], removed: [] }));
    prepare?.(server);
    const model = new HistoryModel(all.api, ENVIRONMENT);
    const restore = vi.fn();
    void model.load();
    show(all, <HistorySheet model={model} onClose={vi.fn()} onRestore={restore} />);
    await act(() => settle());
    return { server, restore };
  }

  it('are told with who made them; the last one is chosen, with what going back does', async () => {
    const { restore } = await opened([
      revision(2, 'installed polars'),
      revision(1, 'updated numpy'),
      revision(0, 'as it was found')
    ]);
    const states = screen.getAllByTestId('carrel-revision');
    expect(states.map(item => item.textContent)).toEqual([
      expect.stringMatching(/^updated numpyNo. 1 · .* · ada with jupyter · 12 packages$/),
      expect.stringMatching(/^as it was foundNo. 0 · .* · 12 packages$/)
    ]);
    expect(document.activeElement).toBe(states[0].querySelector('input'));
    expect(screen.getAllByTestId('carrel-plan-line').map(item => item.textContent)).toEqual([
      expect.stringContaining('Removed:polars1.9'),
      expect.stringContaining('Changed:numpy2.3 → 2.2')
    ]);
    expect(await violations()).toEqual([]);
    fireEvent.click(states[1].querySelector('input')!);
    await act(() => settle());
    expect(screen.getByTestId('carrel-history-sheet').textContent).toContain('the packages are the same now');
    fireEvent.submit(screen.getByTestId('carrel-history-sheet'));
    expect(restore.mock.calls[0][0].number).toBe(0);
  });

  it('are said to be none when nothing was changed', async () => {
    await opened([revision(0, 'as it was found')]);
    expect(screen.getByTestId('carrel-history-empty').textContent).toContain('no earlier state');
    expect((screen.getByTestId('carrel-history-restore') as HTMLButtonElement).disabled).toBe(true);
  });

  it('that cannot be read say why, and are read again', async () => {
    const { server } = await opened([], fake =>
      fake.on('GET environments/env1/revisions', () => problem(500, 'broken', 'The history is damaged.'))
    );
    expect(screen.getByRole('alert').textContent).toContain('The history is damaged.');
    server.on('GET environments/env1/revisions', () => ({ items: [revision(1, 'b'), revision(0, 'a')] }));
    fireEvent.click(screen.getByRole('button', { name: 'Retry' }));
    await act(() => settle());
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getAllByTestId('carrel-revision')).toHaveLength(1);
  });
});
