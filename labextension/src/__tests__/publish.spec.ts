import { describe, expect, it, vi } from 'vitest';
import { CHECK, FINDING, notebook, PUBLISHED } from './publishfakes';
import { METADATA_KEY, publication, PublishModel } from '../models/publish';
import { ReproduceModel } from '../models/reproduce';
import type { IPublishCheck } from '../schemas';
import { carrel, done, FakeServer, job, problem, settle } from './fakes';

function setup(check: IPublishCheck = CHECK, panel = notebook()) {
  const server = new FakeServer();
  const all = carrel(server);
  server
    .on('POST publish/check', () => check)
    .on('POST publish', () => job('publish'))
    .on('GET jobs/publish-job/log', () => done(PUBLISHED))
    .on('POST publish/undo', () => ({}));
  return { server, panel, model: new PublishModel(all.api, all.jobs, panel, async () => 'env1') };
}

describe('publishing a notebook', () => {
  it('saves, checks, uploads and writes down where it went', async () => {
    const { server, panel, model } = setup();
    expect(await model.save()).toBe(true);
    await model.prepare();
    expect(panel.context.save).toHaveBeenCalledTimes(1);
    expect(model.form).toMatchObject({ namespace: 'ann', name: 'analysis', visibility: 'private', dataFiles: [] });
    await model.publish();
    expect(server.asked('POST publish')[0].body).toMatchObject({
      path: 'work/analysis.ipynb',
      environment: 'env1',
      outputs: 'keep',
      decisions: {},
      data_files: []
    });
    expect(publication(panel)).toEqual(PUBLISHED.metadata);
    expect(panel.context.save).toHaveBeenCalledTimes(2);
  });

  it('goes on when the notebook cannot be saved, and stops when its owner does not want to save it', async () => {
    const { panel, model } = setup();
    const save = vi.mocked(panel.context.save);
    save.mockRejectedValueOnce(new Error('The folder is read-only.'));
    expect(await model.save()).toBe(true);
    save.mockRejectedValueOnce(Object.assign(new Error('Cancel'), { name: 'ModalCancelError' }));
    expect(await model.save()).toBe(false);
  });

  it('does not wait for the save that follows: its question would wait for the sheet', async () => {
    const { panel, model } = setup();
    await model.prepare();
    vi.mocked(panel.context.save).mockReturnValueOnce(new Promise(() => undefined));
    expect(await model.publish()).toEqual(PUBLISHED);
    expect(model.state).toBe('done');
  });

  it('redacts every finding unless told otherwise', async () => {
    const other = { ...FINDING, id: 'f2' };
    const { server, model } = setup({ ...CHECK, findings: [FINDING, other] });
    await model.prepare();
    model.decide(other, 'not_secret');
    await model.publish();
    expect(server.asked('POST publish')[0].body.decisions).toEqual({ f1: 'redact', f2: 'not_secret' });
  });

  it('does not put a strong finding in public', async () => {
    const { server, model } = setup({ ...CHECK, findings: [FINDING] });
    await model.prepare();
    model.decide(FINDING, 'not_secret');
    model.update({ visibility: 'public' });
    expect(model.blocked).toBe('strong_public');
    expect(await model.publish()).toBeNull();
    expect(server.asked('POST publish')).toEqual([]);
    model.decide(FINDING, 'redact');
    expect(model.blocked).toBeNull();
  });

  it('asks nothing for an update with nothing found, but says when it widens', async () => {
    const defaults = { ...CHECK.defaults, is_update: true, latest_version: '6' };
    const { model } = setup({ ...CHECK, defaults });
    await model.prepare();
    expect(model.unattended).toBe(true);
    model.update({ visibility: 'unlisted' });
    expect(model.widens).toBe(true);
    model.update({ name: 'else' });
    expect([model.isUpdate, model.widens, model.unattended]).toEqual([false, false, false]);
  });

  it.each(['', '-x', 'a b', 'a/b'])('refuses the name %j', async name => {
    const { model } = setup();
    await model.prepare();
    model.update({ name });
    expect(model.blocked).toBe('name');
  });

  it('can be taken back', async () => {
    const before = { hub: 'http://hub', owner: 'ann', name: 'analysis', version: '0' };
    const { server, panel, model } = setup(CHECK, notebook({ [METADATA_KEY]: before }));
    await model.prepare();
    await model.publish();
    await model.undo();
    expect(server.asked('POST publish/undo')[0].body).toEqual({ namespace: 'ann', name: 'analysis', version: '1' });
    expect(publication(panel)).toEqual(before);
  });

  it('keeps the sheet when the hub refuses', async () => {
    const { server, panel, model } = setup();
    await model.prepare();
    server.on('POST publish', () => problem(403, 'forbidden', 'You may not publish to acme.'));
    await model.publish();
    expect([model.state, model.error]).toEqual(['failed', 'You may not publish to acme.']);
    expect(publication(panel)).toBeNull();
  });
});

describe('reproducing', () => {
  const REVIEW = {
    namespace: 'acme',
    name: 'model',
    version: '7',
    environment: { new_channels: ['http://channel'], matches_platform: true },
    warnings: []
  };

  it('builds nothing before new channels are trusted, then the exact version', async () => {
    const server = new FakeServer();
    const all = carrel(server);
    server
      .on('POST reproduce/review', () => REVIEW)
      .on('POST reproduce', () => job('reproduce'))
      .on('GET jobs/reproduce-job/log', () => done({ path: 'model.ipynb', kernel_name: 'k' }));
    const model = new ReproduceModel(all.api, all.jobs, 'acme/model', 'work');
    await model.load();
    expect(await model.reproduce()).toBeNull();
    expect(server.asked('POST reproduce')).toEqual([]);
    model.trusted = true;
    expect(await model.reproduce()).toMatchObject({ path: 'model.ipynb' });
    expect(server.asked('POST reproduce')[0].body).toEqual({
      reference: 'acme/model@7',
      directory: 'work',
      trust_channels: true,
      solve: false
    });
    await settle(1);
  });
});
