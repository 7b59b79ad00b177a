import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CarrelApi } from '../api';
import type {
  FindingDecision,
  ICarrelMetadata,
  IFinding,
  IPublishCheck,
  IPublished,
  OutputsChoice,
  Visibility
} from '../schemas';
import { JobFailed, type JobsModel } from './jobs';
import { errorText, Model } from './model';

export type PublishState = 'checking' | 'ready' | 'publishing' | 'done' | 'failed';

/** What the sheet asks for. */
export interface IPublishForm {
  namespace: string;
  name: string;
  visibility: Visibility;
  message: string;
  summary: string;
  outputs: OutputsChoice;
  withEnvironment: boolean;
  dataFiles: string[];
}

/** Key of a notebook's metadata that says where it was published. */
export const METADATA_KEY = 'carrel';

/** From narrow to wide. */
const WIDTH: Visibility[] = ['private', 'organization', 'unlisted', 'public'];

/** Where a notebook was published last, if it was. */
export function publication(panel: NotebookPanel): ICarrelMetadata | null {
  const value = panel.model?.getMetadata(METADATA_KEY) as Partial<ICarrelMetadata> | undefined;
  return value?.owner && value.name && value.version ? (value as ICarrelMetadata) : null;
}

const SAVE_MS = 3000;

/** One publication of one notebook: check, decide, upload, write down where it went. */
export class PublishModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _jobs: JobsModel,
    readonly panel: NotebookPanel,
    private readonly _environment: () => Promise<string | null>,
    defaults: { visibility?: Visibility; outputs?: OutputsChoice } = {}
  ) {
    super();
    this._defaults = defaults;
    this.form.outputs = defaults.outputs ?? 'keep';
    _jobs.changed.connect(this.notify, this);
  }

  readonly form: IPublishForm = {
    namespace: '',
    name: '',
    visibility: 'private',
    message: '',
    summary: '',
    outputs: 'keep',
    withEnvironment: true,
    dataFiles: []
  };

  get state(): PublishState {
    return this._state;
  }

  get check(): IPublishCheck | null {
    return this._check;
  }

  get error(): string | null {
    return this._error;
  }

  get result(): IPublished | null {
    return this._result;
  }

  get jobId(): string | null {
    return this._jobId;
  }

  /** True when the destination chosen is the one the notebook has already. */
  get isUpdate(): boolean {
    const { defaults } = this._check ?? {};
    return !!defaults?.is_update && defaults.namespace === this.form.namespace && defaults.name === this.form.name;
  }

  decision(finding: IFinding): FindingDecision {
    return this._decisions[finding.id] ?? 'redact';
  }

  decide(finding: IFinding, decision: FindingDecision): void {
    this._decisions[finding.id] = decision;
    this.notify();
  }

  /** Why nothing can be published yet; null when all is well. */
  get blocked(): 'name' | 'namespace' | 'strong_public' | null {
    if (!/^[a-z0-9][a-z0-9._-]*$/i.test(this.form.name)) {
      return 'name';
    }
    if (!this.form.namespace) {
      return 'namespace';
    }
    const strong = this._check?.findings.some(finding => finding.strong && this.decision(finding) === 'not_secret');
    return strong && this.form.visibility === 'public' ? 'strong_public' : null;
  }

  /** True when the visibility chosen lets more people in than the published one did. */
  get widens(): boolean {
    const before = this._check?.defaults.visibility;
    return !!before && this.isUpdate && WIDTH.indexOf(this.form.visibility) > WIDTH.indexOf(before);
  }

  /** True when there is nothing to ask: an update of the same publication and nothing found. */
  get unattended(): boolean {
    return !!this._check && this.isUpdate && this._check.findings.length === 0 && this.blocked === null;
  }

  update(change: Partial<IPublishForm>): void {
    Object.assign(this.form, change);
    this.notify();
  }

  /** Save the notebook and have the server look at it. */
  async prepare(): Promise<void> {
    this._set('checking');
    try {
      const context = this.panel.context;
      await context.ready;
      if (context.model.dirty) {
        // What is published is the live model, so a save that does not end (two at once may wait for each other) is not waited for.
        await Promise.race([context.save(), new Promise(resolve => setTimeout(resolve, SAVE_MS))]);
      }
      this._environmentId = await this._environment();
      const check = await this._api.checkPublish(context.path, context.model.toJSON(), this._environmentId);
      this._check = check;
      const { defaults } = check;
      this.update({
        namespace: defaults.namespace ?? check.namespaces[0]?.name ?? '',
        name: defaults.name,
        visibility: defaults.is_update ? defaults.visibility : (this._defaults.visibility ?? defaults.visibility),
        message: defaults.version_note ?? '',
        withEnvironment: check.environment !== null
      });
      this._set('ready');
    } catch (error) {
      this._fail(error);
    }
  }

  async publish(): Promise<IPublished | null> {
    if (this._state === 'publishing' || this.blocked) {
      return null;
    }
    const { withEnvironment, dataFiles, ...form } = this.form;
    this._error = null;
    this._set('publishing');
    try {
      const job = await this._api.publish({
        ...form,
        path: this.panel.context.path,
        notebook: this.panel.context.model.toJSON(),
        environment: withEnvironment ? this._environmentId : null,
        decisions: this._allDecisions(),
        data_files: dataFiles
      });
      this._jobId = job.id;
      const result = await this._jobs.follow(job);
      this._result = result;
      await this._remember(result.metadata);
      this._set('done');
      return result;
    } catch (error) {
      if (error instanceof JobFailed && error.cancelled) {
        this._set('ready');
      } else {
        this._fail(error);
      }
      return null;
    }
  }

  async cancel(): Promise<void> {
    if (this._jobId && this._state === 'publishing') {
      await this._jobs.cancel(this._jobId);
    }
  }

  /** Take the version just published back, on the hub and in the notebook's metadata. */
  async undo(): Promise<void> {
    if (this._result) {
      await this._api.undoPublish(this._result);
      await this._remember(this._before);
    }
  }

  override dispose(): void {
    this._jobs.changed.disconnect(this.notify, this);
    super.dispose();
  }

  private async _remember(metadata: ICarrelMetadata | null): Promise<void> {
    const { context } = this.panel;
    if (this.panel.isDisposed || context.isDisposed) {
      return;
    }
    this._before = publication(this.panel);
    if (metadata) {
      context.model.setMetadata(METADATA_KEY, metadata);
    } else {
      context.model.deleteMetadata(METADATA_KEY);
    }
    await context.save();
  }

  private _allDecisions(): Record<string, FindingDecision> {
    return Object.fromEntries((this._check?.findings ?? []).map(finding => [finding.id, this.decision(finding)]));
  }

  private _fail(error: unknown): void {
    this._error = errorText(error);
    this._set('failed');
  }

  private _set(state: PublishState): void {
    this._state = state;
    this.notify();
  }

  private readonly _defaults: { visibility?: Visibility; outputs?: OutputsChoice };
  private readonly _decisions: Record<string, FindingDecision> = {};
  private _state: PublishState = 'checking';
  private _check: IPublishCheck | null = null;
  private _environmentId: string | null = null;
  private _error: string | null = null;
  private _result: IPublished | null = null;
  private _before: ICarrelMetadata | null = null;
  private _jobId: string | null = null;
}
