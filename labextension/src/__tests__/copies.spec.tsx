import { act, fireEvent, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { Panel } from '../components/Panel';
import { freeName } from '../models/copies';
import type { ICarrel } from '../tokens';
import { show, violations } from './drawing';
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
  session,
  settle,
  STATUS
} from './fakes';

const SHARED = { ...ENVIRONMENT, writable: false, reason_read_only: 'Belongs to root.' };
const COPY = { ...ENVIRONMENT, id: 'env2', name: 'analysis-copy', prefix: '/home/ann/envs/analysis-copy' };
const MADE = { environment: COPY, kernel_name: 'analysis-copy' };

async function panel(
  prepare?: (server: FakeServer) => void
): Promise<{ server: FakeServer; all: ICarrel; context: any }> {
  const server = new FakeServer();
  const all = carrel(server);
  server
    .on('GET kernels/kernel1/environment', () => SHARED)
    .on('GET environments/env2/packages', () => ({ items: [] }))
    .on('POST environments/env1/clone', () => job('clone'))
    .on('GET jobs/clone-job/log', () => done(MADE));
  prepare?.(server);
  const notebook = session(new FakeKernel());
  notebook.sessionContext.name = 'tides.ipynb';
  server.on('GET kernels/kernel2/environment', () => COPY);
  notebook.sessionContext.changeKernel = vi.fn(() => {
    notebook.sessionContext.session.kernel = Object.assign(new FakeKernel(), { id: 'kernel2' });
    notebook.sessionContext.kernelChanged.emit({});
    return Promise.resolve(null);
  });
  all.environment.follow(notebook);
  show(all, <Panel />);
  await act(async () => {
    await all.hub.load();
    await settle();
  });
  return { server, all, context: notebook.sessionContext };
}

async function press(testid: string): Promise<void> {
  fireEvent.click(screen.getByTestId(testid));
  await act(() => settle());
}

describe('a copy of a read-only environment', () => {
  it('is offered, named, made, and used by the notebook with one click', async () => {
    const { server, all, context } = await panel();
    expect(screen.getByTestId('carrel-notice').textContent).toContain('Belongs to root.');
    await press('carrel-make-copy');
    const input = screen.getByTestId('carrel-copy-name') as HTMLInputElement;
    expect([input.value, document.activeElement]).toEqual(['analysis-copy', input]);
    expect(screen.queryByTestId('carrel-make-copy')).toBeNull();
    expect(await violations()).toEqual([]);
    fireEvent.submit(input.form!);
    await act(() => settle());
    expect(server.asked('POST environments/env1/clone')[0].body).toEqual({ name: 'analysis-copy' });
    const use = screen.getByTestId('carrel-copy-use');
    expect(use.textContent).toBe('Switch tides.ipynb to it');
    expect(document.activeElement).toBe(use);
    expect(screen.getByTestId('carrel-copy-sheet').textContent).toContain('Cells and outputs of tides.ipynb stay');
    expect(await violations()).toEqual([]);
    await press('carrel-copy-use');
    expect(context.changeKernel).toHaveBeenCalledWith({ name: 'analysis-copy' });
    expect(screen.queryByTestId('carrel-copy-sheet')).toBeNull();
    expect(all.environment.environment!.id).toBe('env2');
    expect(document.activeElement!.className).toContain('carrel-Chip');
  });

  it('is followed as the environment of the kernel once the notebook uses it', async () => {
    const { all } = await panel();
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    act(() => all.environment.choose(SHARED));
    await press('carrel-copy-use');
    expect([all.environment.environment!.id, all.environment.chosen]).toEqual(['env2', false]);
  });

  it('is not shown in place of the environment of a notebook that is in front by then', async () => {
    const { all, server, context } = await panel();
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    server.on('GET kernels/kernel3/environment', () => ({ ...ENVIRONMENT, id: 'env3' }));
    server.on('GET environments/env3/packages', () => ({ items: [] }));
    act(() => all.environment.follow(session(Object.assign(new FakeKernel(), { id: 'kernel3' }))));
    await act(() => settle());
    await press('carrel-copy-use');
    expect(context.changeKernel).toHaveBeenCalledWith({ name: 'analysis-copy' });
    expect(all.environment.environment!.id).toBe('env3');
  });

  it('keeps the name that is being typed when it was asked for twice', async () => {
    let answer: (value: unknown) => void = () => undefined;
    const { all, server } = await panel(fake =>
      fake.on('GET environments', () => new Promise(resolve => (answer = resolve)))
    );
    await press('carrel-make-copy');
    const first = answer;
    act(() => void all.copies.open());
    await act(async () => {
      first({ items: [] });
      await settle();
    });
    fireEvent.change(screen.getByTestId('carrel-copy-name'), { target: { value: 'mine' } });
    await act(async () => {
      answer({ items: [] });
      await settle();
    });
    expect((screen.getByTestId('carrel-copy-name') as HTMLInputElement).value).toBe('mine');
    expect(server.asked('GET environments')).toHaveLength(1);
  });

  it('can be cancelled before the server has begun', async () => {
    let begin: (value: unknown) => void = () => undefined;
    const { server } = await panel(fake =>
      fake
        .on('POST environments/env1/clone', () => new Promise(resolve => (begin = resolve)))
        .on('GET jobs/clone-job/log', () =>
          chunks([line({ seq: 1, type: 'state', state: 'cancelled', result: null, error: null })])
        )
    );
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    await press('carrel-copy-cancel');
    await act(async () => {
      begin(job('clone'));
      await settle();
    });
    expect(server.asked('DELETE jobs/clone-job')).toHaveLength(1);
    expect(screen.getByTestId('carrel-copy-name')).toBeTruthy();
  });

  it('gets no name that cannot be a folder', async () => {
    const { server } = await panel();
    await press('carrel-make-copy');
    const input = screen.getByTestId('carrel-copy-name');
    fireEvent.change(input, { target: { value: '../up' } });
    expect((screen.getByTestId('carrel-copy-make') as HTMLButtonElement).disabled).toBe(true);
    expect(document.getElementById(input.getAttribute('aria-describedby')!)!.textContent).toContain('Use letters');
    fireEvent.submit((input as HTMLInputElement).form!);
    await act(() => settle());
    expect(server.asked('POST environments/env1/clone')).toEqual([]);
  });

  it('can be cancelled while it is made', async () => {
    let finish: (value: Response) => void = () => undefined;
    const { server } = await panel(fake =>
      fake
        .on('GET jobs/clone-job/log', () => new Promise(resolve => (finish = resolve)))
        .on('DELETE jobs/clone-job', () =>
          finish(chunks([line({ seq: 1, type: 'state', state: 'cancelled', result: null, error: null })]))
        )
    );
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    expect(screen.getByTestId('carrel-copy-sheet').querySelector('[role=progressbar]')).not.toBeNull();
    await press('carrel-copy-cancel');
    expect(server.asked('DELETE jobs/clone-job')).toHaveLength(1);
    expect(screen.getByTestId('carrel-copy-name')).toBeTruthy();
    await press('carrel-copy-close');
    expect(screen.queryByTestId('carrel-copy-sheet')).toBeNull();
  });

  it('says why it could not be made, and lets the name be changed', async () => {
    const { server } = await panel(fake =>
      fake.on('POST environments/env1/clone', () => problem(409, 'prefix_taken', 'It exists. Choose another place.'))
    );
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    expect(screen.getByRole('alert').textContent).toContain('It exists.');
    server.on('POST environments/env1/clone', () => job('clone'));
    fireEvent.change(screen.getByTestId('carrel-copy-name'), { target: { value: 'mine' } });
    await press('carrel-copy-make');
    expect(server.asked('POST environments/env1/clone')[1].body).toEqual({ name: 'mine' });
    expect(screen.getByTestId('carrel-copy-sheet').dataset.state).toBe('done');
  });

  it('stays at hand when the kernel cannot be changed', async () => {
    const { context } = await panel();
    context.changeKernel = () => Promise.reject(new Error('The kernel did not start.'));
    await press('carrel-make-copy');
    await press('carrel-copy-make');
    await press('carrel-copy-use');
    expect(screen.getByRole('alert').textContent).toContain('The kernel did not start.');
    expect((screen.getByTestId('carrel-copy-use') as HTMLButtonElement).disabled).toBe(false);
  });

  it('is shown alone when its notebook was closed meanwhile', async () => {
    const { all, context } = await panel();
    await press('carrel-make-copy');
    context.isDisposed = true;
    await press('carrel-copy-make');
    expect(screen.queryByTestId('carrel-copy-use')).toBeNull();
    await press('carrel-copy-show');
    expect(all.environment.environment!.id).toBe('env2');
  });

  it.each([
    ['where nothing may be installed', { ...STATUS, policy: { ...STATUS.policy, allow_install: false } }, SHARED],
    ['of a kernel that runs elsewhere', STATUS, { ...SHARED, kind: 'remote' }]
  ])('is not offered %s', async (_, status, environment) => {
    await panel(fake => fake.on('GET status', () => status).on('GET kernels/kernel1/environment', () => environment));
    expect(screen.queryByTestId('carrel-make-copy')).toBeNull();
  });

  it('is found under the activities after the page was loaded again', async () => {
    const made = job('clone', { state: 'done', result: MADE, finished_at: '2026-01-01T00:01:00Z' });
    const { all } = await panel(fake => fake.on('GET jobs', () => ({ items: [made] })));
    await act(() => all.jobs.load());
    fireEvent.click(screen.getByRole('button', { name: /^Activity/ }));
    await press('carrel-show-copy');
    expect(all.environment.environment!.id).toBe('env2');
    expect(screen.queryByTestId('carrel-show-copy')).toBeNull();
  });

  it('gets a name that is free', () => {
    expect(freeName('Tides (acme/tides v7)', [])).toBe('Tides-acme-tides-v7-copy');
    expect(freeName('…', [])).toBe('environment-copy');
    expect(freeName('analysis', [COPY, { ...COPY, name: 'x', prefix: '/e/analysis-copy-2' }])).toBe('analysis-copy-3');
  });
});
