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
import type { JobsModel } from './jobs';
import { SheetModel } from './sheet';

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

/** One publication of one notebook: check, decide, upload, write down where it went. */
export class PublishModel extends SheetModel<'checking' | 'publishing'> {
  constructor(
    private readonly _api: CarrelApi,
    jobs: JobsModel,
    readonly panel: NotebookPanel,
    private readonly _environment: () => Promise<string | null>,
    defaults: { visibility?: Visibility; outputs?: OutputsChoice } = {}
  ) {
    super(jobs, 'publishing', 'checking');
    this._defaults = defaults;
    this.form.outputs = defaults.outputs ?? 'keep';
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

  get check(): IPublishCheck | null {
    return this._check;
  }

  get result(): IPublished | null {
    return this._result;
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

  /**
   * Save the notebook; false when the user called it off.
   *
   * Not to be called while a sheet is open: JupyterLab shows one dialog at a time, so the question what to do about a file
   * that has changed on disk would wait for the sheet, and the sheet for its answer.
   */
  async save(): Promise<boolean> {
    const { context } = this.panel;
    await context.ready;
    if (context.model.dirty) {
      try {
        await context.save();
      } catch (error) {
        // JupyterLab has told of everything else. What is published is what is open here, saved or not.
        return !(error instanceof Error && error.name.startsWith('Modal'));
      }
    }
    return true;
  }

  /** Have the server look at the notebook. */
  async prepare(): Promise<void> {
    this.move('checking');
    try {
      const { context } = this.panel;
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
      this.move('ready');
    } catch (error) {
      this.fail(error);
    }
  }

  async publish(): Promise<IPublished | null> {
    if (this.state === 'publishing' || this.blocked) {
      return null;
    }
    const { withEnvironment, dataFiles, ...form } = this.form;
    const start = () =>
      this._api.publish({
        ...form,
        path: this.panel.context.path,
        notebook: this.panel.context.model.toJSON(),
        environment: withEnvironment ? this._environmentId : null,
        decisions: this._allDecisions(),
        data_files: dataFiles
      });
    return this.work(start, result => {
      this._result = result;
      this._remember(result.metadata);
    });
  }

  /** Take the version just published back, on the hub and in the notebook's metadata. */
  async undo(): Promise<void> {
    if (this._result) {
      await this._api.undoPublish(this._result);
      this._remember(this._before);
    }
  }

  private _remember(metadata: ICarrelMetadata | null): void {
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
    // Not waited for: it may have a question, which comes when the sheet is closed (see save).
    context.save().catch(() => undefined);
  }

  private _allDecisions(): Record<string, FindingDecision> {
    return Object.fromEntries((this._check?.findings ?? []).map(finding => [finding.id, this.decision(finding)]));
  }

  private readonly _defaults: { visibility?: Visibility; outputs?: OutputsChoice };
  private readonly _decisions: Record<string, FindingDecision> = {};
  private _check: IPublishCheck | null = null;
  private _environmentId: string | null = null;
  private _result: IPublished | null = null;
  private _before: ICarrelMetadata | null = null;
}
