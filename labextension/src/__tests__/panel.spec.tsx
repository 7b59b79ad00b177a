import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { Panel } from '../components/Panel';
import { PublishSheet } from '../components/PublishSheet';
import { OpenSheet } from '../components/OpenSheet';
import { PublishModel } from '../models/publish';
import type { ICarrel } from '../tokens';
import { show, violations } from './drawing';
import {
  APPLIED,
  carrel,
  done,
  ENVIRONMENT,
  FakeKernel,
  FakeServer,
  job,
  plan,
  result,
  session,
  settle,
  STATUS
} from './fakes';
import { CHECK, FINDING, notebook, PUBLISHED } from './publishfakes';

const NUMPY = {
  name: 'numpy',
  version: '2.3.1',
  build: 'py312_0',
  source: 'conda',
  channel: 'conda-forge',
  requested: true,
  size: 8e6,
  summary: 'Arrays',
  import_names: ['numpy'],
  location: null
};

async function panel(prepare?: (server: FakeServer) => void): Promise<{ server: FakeServer; all: ICarrel }> {
  const server = new FakeServer();
  const all = carrel(server);
  server
    .on('GET environments/env1/packages', () => ({
      items: [NUMPY, { ...NUMPY, name: 'pandas', import_names: ['pandas'] }]
    }))
    .on('GET search', ({ query }) => ({
      items: ['polars', 'polars-old']
        .filter(name => name.includes(query.get('q')!))
        .map(name =>
          name === 'polars' ? result(name) : result(name, { state: 'incompatible', reason: 'Needs Python 3.13' })
        ),
      sources: STATUS.sources.map(source => ({ id: source.id, ok: true, error: null, took_ms: 1 })),
      suggestion: query.get('q') === 'polrs' ? 'polars' : null
    }))
    .on('GET packages/conda-forge/polars', () => ({
      name: 'polars',
      source: 'conda-forge',
      summary: 'Frames',
      description: null,
      license: 'MIT',
      home_page: 'javascript:alert(1)',
      dependencies: [],
      urls: {},
      versions: [{ version: '1.0', published_at: null, size: null, installable: true, reason: null }]
    }))
    .on('POST environments/env1/plan', () => job('plan'))
    .on('GET jobs/plan-job/log', () => done(plan({ needs_confirmation: true, reasons: ['numpy goes back'] })))
    .on('POST environments/env1/apply', () => job('apply'))
    .on('GET jobs/apply-job/log', () => done(APPLIED));
  prepare?.(server);
  all.environment.follow(session(new FakeKernel()));
  show(all, <Panel />);
  await act(async () => {
    await all.hub.load();
    await settle();
  });
  return { server, all };
}

async function type(query: string): Promise<HTMLElement> {
  const input = screen.getByTestId('carrel-search-input');
  fireEvent.change(input, { target: { value: query } });
  await act(() => new Promise(resolve => setTimeout(resolve, 220)));
  return input;
}

describe('the panel', () => {
  it('shows the environment and what is installed', async () => {
    await panel();
    expect(screen.getByTestId('carrel-environment-name').textContent).toBe('analysis');
    expect(screen.getAllByTestId('carrel-installed-row').map(row => row.dataset.name)).toEqual(['numpy', 'pandas']);
    expect(await violations()).toEqual([]);
  });

  it('searches, and works on the results with the keyboard alone', async () => {
    const { server } = await panel();
    const input = await type('polars');
    const rows = screen.getAllByTestId('carrel-result');
    expect(rows.map(row => [row.dataset.name, row.dataset.state])).toEqual([
      ['polars', 'available'],
      ['polars-old', 'incompatible']
    ]);
    fireEvent.keyDown(input, { key: 'ArrowDown' });
    expect(input.getAttribute('aria-activedescendant')).toBe(rows[0].id);
    fireEvent.keyDown(input, { key: 'Enter' });
    await act(() => settle());
    expect(rows[0].querySelector('[aria-expanded=true]')).not.toBeNull();
    expect(within(rows[0]).queryByText('Home page')).toBeNull();
    expect(await violations()).toEqual([]);
    fireEvent.keyDown(input, { key: 'Enter', ctrlKey: true });
    await act(() => settle());
    expect(server.asked('POST environments/env1/plan')[0].body.add).toEqual([
      { name: 'polars', source: 'conda-forge' }
    ]);
    fireEvent.keyDown(input, { key: 'Escape' });
    expect((input as HTMLInputElement).value).toBe('');
  });

  it('opens the menu of a row with Shift+F10 and gives the focus back', async () => {
    await panel();
    const row = screen.getAllByTestId('carrel-installed-row')[0];
    row.focus();
    fireEvent.keyDown(row, { key: 'F10', shiftKey: true });
    expect(document.querySelector('.lm-Menu')?.textContent).toContain('Remove');
    document.querySelector('.lm-Menu')?.remove();
  });

  it('moves through the installed packages as one tab stop', async () => {
    await panel();
    const rows = screen.getAllByTestId('carrel-installed-row');
    expect(rows.map(row => row.tabIndex)).toEqual([0, -1]);
    rows[0].focus();
    fireEvent.keyDown(rows[0], { key: 'ArrowDown' });
    expect(document.activeElement).toBe(rows[1]);
    expect(rows.map(row => row.tabIndex)).toEqual([-1, 0]);
    fireEvent.keyDown(rows[1], { key: 'Enter' });
    expect(rows[1].getAttribute('aria-expanded')).toBe('true');
    fireEvent.keyDown(rows[1], { key: 'Home' });
    expect(document.activeElement).toBe(rows[0]);
  });

  it('puts the keyboard into the search box on "/"', async () => {
    await panel();
    screen.getAllByTestId('carrel-installed-row')[0].focus();
    fireEvent.keyDown(document.activeElement!, { key: '/' });
    expect(document.activeElement).toBe(screen.getByTestId('carrel-search-input'));
  });

  it('shows a plan with surprises, applies it, and says that no restart is needed', async () => {
    const { server } = await panel();
    await type('polars');
    fireEvent.click(screen.getAllByTestId('carrel-install')[0]);
    await act(() => settle());
    expect(screen.getByTestId('carrel-transaction').textContent).toContain('numpy goes back');
    expect(document.activeElement).toBe(screen.getByTestId('carrel-apply'));
    expect(await violations()).toEqual([]);
    fireEvent.click(screen.getByTestId('carrel-apply'));
    await act(() => settle());
    expect(server.asked('POST environments/env1/apply')).toHaveLength(1);
    expect(screen.getByTestId('carrel-ready').textContent).toContain('No restart needed');
  });

  it('offers what was probably meant', async () => {
    await panel();
    await type('polrs');
    fireEvent.click(within(screen.getByTestId('carrel-no-results')).getByText('polars'));
    await act(() => new Promise(resolve => setTimeout(resolve, 220)));
    expect(screen.getAllByTestId('carrel-result')).toHaveLength(2);
  });

  it('explains why nothing can be installed', async () => {
    await panel(server =>
      server.on('GET kernels/kernel1/environment', () => ({
        ...ENVIRONMENT,
        writable: false,
        reason_read_only: 'Belongs to root.'
      }))
    );
    await type('polars');
    expect(screen.getAllByText(/Belongs to root\./)).toHaveLength(1);
    expect((screen.getByTestId('carrel-install') as HTMLButtonElement).disabled).toBe(true);
  });

  it.each([
    [
      'a missing server side',
      (server: FakeServer) => server.on('GET status', () => new Response('', { status: 404 })),
      'needs a Jupyter server'
    ],
    [
      'an unreachable hub',
      (server: FakeServer) => server.on('GET status', () => ({ ...STATUS, hub: { ...STATUS.hub, reachable: false } })),
      'The hub does not answer'
    ],
    [
      'an environment that is gone',
      (server: FakeServer) => server.on('GET kernels/kernel1/environment', () => ({ ...ENVIRONMENT, kind: 'missing' })),
      'no longer exists'
    ],
    [
      'a remote kernel',
      (server: FakeServer) =>
        server.on('GET kernels/kernel1/environment', () => ({ ...ENVIRONMENT, kind: 'remote', writable: false })),
      'runs elsewhere'
    ]
  ])('explains %s', async (_, prepare, text) => {
    await panel(prepare);
    expect(document.body.textContent).toContain(text);
    expect(await violations()).toEqual([]);
  });

  it('says only once that the hub does not answer', async () => {
    await panel(server =>
      server
        .on('GET status', () => ({
          ...STATUS,
          hub: { ...STATUS.hub, reachable: false, error: 'No connection could be made.' }
        }))
        .on('GET search', () => ({
          items: [],
          sources: STATUS.sources.map(source => ({
            id: source.id,
            ok: false,
            error: source.type === 'hub' ? 'No connection could be made.' : `${source.name} is slow.`,
            took_ms: 1
          })),
          suggestion: null
        }))
    );
    fireEvent.change(screen.getByTestId('carrel-search-input'), { target: { value: 'polars' } });
    await waitFor(() => expect(screen.getByText('conda-forge is slow.')).toBeTruthy());
    expect(document.body.textContent!.split('No connection could be made.')).toHaveLength(2);
  });

  it('offers environments when no notebook is open', async () => {
    const server = new FakeServer();
    const all = carrel(server);
    all.environment.follow(null);
    await all.environment.refresh();
    show(all, <Panel />);
    await act(() => settle());
    fireEvent.click(screen.getByTestId('carrel-choose'));
    await act(() => settle());
    expect(screen.getByTestId('carrel-environment-name').textContent).toBe('analysis');
  });

  it('signs in with a code, not a password', async () => {
    await panel(server =>
      server
        .on('GET status', () => ({ ...STATUS, hub: { ...STATUS.hub, user: null, namespaces: [] } }))
        .on('POST login', () => ({
          user_code: 'ABCD-EFGH',
          verification_uri_complete: 'http://hub/activate',
          interval: 60,
          flow: 'f'
        }))
    );
    fireEvent.click(within(screen.getByTestId('carrel-channels')).getByRole('button', { name: /Channels/ }));
    fireEvent.click(screen.getByTestId('carrel-sign-in'));
    await act(() => settle());
    expect(screen.getByTestId('carrel-user-code').textContent).toBe('ABCD-EFGH');
    expect(document.querySelector('input[type=password]')).toBeNull();
  });
});

describe('the sheets', () => {
  it('publish: filled in, findings redacted, Enter publishes', async () => {
    const server = new FakeServer();
    const all = carrel(server);
    server
      .on('POST publish/check', () => ({ ...CHECK, findings: [FINDING] }))
      .on('POST publish', () => job('publish'))
      .on('GET jobs/publish-job/log', () => done(PUBLISHED));
    await all.hub.load();
    const model = new PublishModel(all.api, all.jobs, notebook(), async () => 'env1');
    const close = vi.fn();
    show(all, <PublishSheet model={model} onClose={close} onOpenCell={vi.fn()} />);
    await act(() => settle());
    expect(screen.getAllByTestId('carrel-finding')).toHaveLength(1);
    expect(document.activeElement).toBe(screen.getByTestId('carrel-publish-submit'));
    expect(await violations()).toEqual([]);
    fireEvent.submit(screen.getByTestId('carrel-publish-sheet'));
    await act(() => settle());
    expect(server.asked('POST publish')[0].body.decisions).toEqual({ f1: 'redact' });
    await waitFor(() => expect(close).toHaveBeenCalled());
  });

  it('open: a name leads to the review, and new channels must be trusted', async () => {
    const server = new FakeServer();
    const all = carrel(server);
    server.on('POST reproduce/review', ({ body }) => ({
      namespace: 'acme',
      name: 'model',
      version: '7',
      title: body.reference,
      published_by: 'ben',
      published_at: null,
      visibility: 'public',
      message: null,
      url: 'http://hub/acme/model',
      notebook: null,
      preview_html: '<p>hi</p>',
      warnings: [],
      environment: {
        kind: 'conda',
        platform: 'linux-64',
        matches_platform: true,
        package_count: 1,
        python_version: '3.12',
        packages: [],
        channels: [],
        new_channels: ['http://channel'],
        download_bytes: 5,
        already_built: false
      }
    }));
    show(all, <OpenSheet directory="" onClose={vi.fn()} onDone={vi.fn()} />);
    fireEvent.change(screen.getByTestId('carrel-open-input'), { target: { value: 'acme/model' } });
    fireEvent.submit(screen.getByTestId('carrel-open-sheet'));
    await act(() => settle());
    const submit = screen.getByTestId('carrel-reproduce-submit') as HTMLButtonElement;
    expect(submit.disabled).toBe(true);
    expect(document.querySelector('iframe')?.getAttribute('sandbox')).toBe('');
    fireEvent.click(screen.getByTestId('carrel-trust'));
    expect(submit.disabled).toBe(false);
  });
});
