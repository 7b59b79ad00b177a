import { useEffect, useRef } from 'react';
import type { PublishModel } from '../models/publish';
import type { OutputsChoice, Visibility } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { SheetFrame } from './dialog';
import { Findings } from './Findings';
import { formatBytes } from './format';
import { Notice } from './Notice';
import { Progress } from './Progress';
import { visibilityLabel } from './Shared';
import { SignIn } from './SignIn';

interface IPublishSheetProps {
  model: PublishModel;
  onClose: () => void;
  onOpenCell: (index: number) => void;
}

/** Publish a notebook: everything is filled in, Enter publishes. */
export function PublishSheet({ model, onClose, onOpenCell }: IPublishSheetProps): JSX.Element {
  const { hub, jobs } = useCarrel();
  const trans = useTrans();
  useModel(model);
  useModel(hub);
  useModel(jobs);
  const submit = useRef<HTMLButtonElement>(null);
  const { state, check } = model;
  const signedIn = hub.signedIn;

  useEffect(() => {
    if (signedIn && (model.state === 'checking' || (model.state === 'failed' && !model.check))) {
      void model.prepare();
    }
  }, [signedIn, model]);
  useEffect(() => {
    if (state === 'ready') {
      submit.current?.focus();
    } else if (state === 'done') {
      onClose();
    }
  }, [state, onClose]);

  const busy = state === 'publishing';
  const file = model.panel.context.path.split('/').pop() ?? '';
  const close = () => (busy ? void model.cancel() : onClose());
  return (
    <SheetFrame
      testid="carrel-publish-sheet"
      busy={busy}
      title={trans.__('Publish %1', file)}
      onSubmit={() => void model.publish()}
      footer={
        <>
          {busy && <Progress job={model.jobId ? jobs.get(model.jobId) : undefined} />}
          <Button testid="carrel-publish-cancel" onClick={close}>
            {trans.__('Cancel')}
          </Button>
          <button
            ref={submit}
            type="submit"
            className="carrel-Button carrel-mod-primary"
            data-testid="carrel-publish-submit"
            disabled={!check || busy || model.blocked !== null}
          >
            {model.isUpdate ? trans.__('Publish a new version') : trans.__('Publish')}
          </button>
        </>
      }
    >
      {!signedIn && hub.status ? (
        <SignIn text={trans.__('Sign in to publish.')} />
      ) : (
        <>
          {model.error && <Notice kind="error">{model.error}</Notice>}
          {!check && !model.error && (
            <p className="carrel-muted" role="status">
              {trans.__('Looking at the notebook and its environment…')}
            </p>
          )}
          {check && (
            <fieldset className="carrel-Form" disabled={busy}>
              <Findings model={model} onOpenCell={onOpenCell} />
              <Destination model={model} />
              <VisibilityField model={model} />
              <EnvironmentField model={model} />
              <OutputsField model={model} />
              <DataFiles model={model} />
              <label className="carrel-Field">
                <span className="carrel-Field-label">{trans.__('Note')}</span>
                <input
                  type="text"
                  className="carrel-Input"
                  data-testid="carrel-publish-message"
                  placeholder={trans.__('What changed? (optional)')}
                  value={model.form.message}
                  onChange={event => model.update({ message: event.target.value })}
                />
              </label>
              {check.warnings.map(warning => (
                <Notice kind="info" key={warning.code + warning.message}>
                  {warning.message}
                </Notice>
              ))}
            </fieldset>
          )}
        </>
      )}
    </SheetFrame>
  );
}

function Destination({ model }: { model: PublishModel }): JSX.Element {
  const trans = useTrans();
  const { defaults, namespaces } = model.check!;
  const { namespace, name } = model.form;
  const version = defaults.latest_version;
  const organizations = namespaces.filter(item => item.kind === 'organization');
  const option = (item: { name: string }) => (
    <option key={item.name} value={item.name}>
      {item.name}
    </option>
  );
  return (
    <div className="carrel-Field">
      <span className="carrel-Field-label" id="carrel-destination">
        {trans.__('Destination')}
      </span>
      <div className="carrel-Field-control">
        <div className="carrel-Destination" role="group" aria-labelledby="carrel-destination">
          <select
            className="carrel-Input"
            aria-label={trans.__('Namespace')}
            data-testid="carrel-publish-namespace"
            value={namespace}
            onChange={event => model.update({ namespace: event.target.value })}
          >
            {namespaces.filter(item => item.kind !== 'organization').map(option)}
            {organizations.length > 0 && (
              <optgroup label={trans.__('Organizations')}>{organizations.map(option)}</optgroup>
            )}
          </select>
          <span aria-hidden="true">/</span>
          <input
            type="text"
            className="carrel-Input"
            aria-label={trans.__('Name')}
            data-testid="carrel-publish-name"
            aria-invalid={model.blocked === 'name'}
            value={name}
            onChange={event => model.update({ name: event.target.value })}
          />
        </div>
        <span className="carrel-Field-hint">
          {model.blocked === 'name'
            ? trans.__('Letters, digits, dots, dashes and underscores only.')
            : model.isUpdate && version
              ? trans.__('New version of what you published before (now v%1).', version)
              : trans.__('A new publication.')}
        </span>
      </div>
    </div>
  );
}

function VisibilityField({ model }: { model: PublishModel }): JSX.Element {
  const trans = useTrans();
  const organization =
    model.check!.namespaces.find(item => item.name === model.form.namespace)?.kind === 'organization';
  const all: Visibility[] = ['private', 'organization', 'unlisted', 'public'];
  const choices = all.filter(
    item => organization || item !== 'organization' || model.form.visibility === 'organization'
  );
  const hints: Record<Visibility, string> = {
    private: trans.__('Only you and those you name can see it.'),
    organization: trans.__('Every member of the organization can see it.'),
    unlisted: trans.__('Everyone who has the link can see it.'),
    public: trans.__('Everyone can find and see it.')
  };
  return (
    <label className="carrel-Field">
      <span className="carrel-Field-label">{trans.__('Visibility')}</span>
      <span className="carrel-Field-control">
        <select
          className="carrel-Input"
          data-testid="carrel-publish-visibility"
          value={model.form.visibility}
          onChange={event => model.update({ visibility: event.target.value as Visibility })}
        >
          {choices.map(item => (
            <option key={item} value={item}>
              {visibilityLabel(item, trans)}
            </option>
          ))}
        </select>
        <span className="carrel-Field-hint">{hints[model.form.visibility]}</span>
        {model.widens && <Notice kind="warning">{trans.__('More people than before will be able to see it.')}</Notice>}
        {model.blocked === 'strong_public' && (
          <Notice kind="error">
            {trans.__(
              'A key that looks real cannot be published for everyone. Redact it, or choose another visibility.'
            )}
          </Notice>
        )}
      </span>
    </label>
  );
}

function EnvironmentField({ model }: { model: PublishModel }): JSX.Element {
  const trans = useTrans();
  const environment = model.check!.environment;
  return (
    <div className="carrel-Field">
      <span className="carrel-Field-label">{trans.__('Environment')}</span>
      {environment ? (
        <div className="carrel-Field-control">
          <label className="carrel-Check">
            <input
              type="checkbox"
              data-testid="carrel-publish-environment"
              checked={model.form.withEnvironment}
              onChange={event => model.update({ withEnvironment: event.target.checked })}
            />
            <span>
              {trans.__('Publish with its environment')}
              <span className="carrel-Field-hint">
                {[
                  environment.kind,
                  trans._n('%1 package', '%1 packages', environment.package_count),
                  environment.pypi_count > 0 && environment.pypi_count < environment.package_count
                    ? trans.__('%1 from a Python index', environment.pypi_count)
                    : null,
                  environment.platform
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </span>
          </label>
          {environment.problems.map((problem, index) => (
            <Notice kind="warning" key={index}>
              {typeof problem === 'string' ? problem : problem.message}
            </Notice>
          ))}
        </div>
      ) : (
        <span className="carrel-Field-hint">{trans.__('Without: the kernel is not running or not Python.')}</span>
      )}
    </div>
  );
}

function OutputsField({ model }: { model: PublishModel }): JSX.Element {
  const trans = useTrans();
  const choices: [OutputsChoice, string][] = [
    ['keep', trans.__('Keep (%1)', formatBytes(model.check!.outputs_bytes))],
    ['images', trans.__('Images and text')],
    ['clear', trans.__('Clear')]
  ];
  return (
    <div className="carrel-Field">
      <span className="carrel-Field-label" id="carrel-outputs">
        {trans.__('Outputs')}
      </span>
      <div className="carrel-Segments" role="radiogroup" aria-labelledby="carrel-outputs">
        {choices.map(([value, label]) => (
          <label key={value} className="carrel-Segment">
            <input
              type="radio"
              name="carrel-outputs"
              data-testid={`carrel-outputs-${value}`}
              checked={model.form.outputs === value}
              onChange={() => model.update({ outputs: value })}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </div>
  );
}

function DataFiles({ model }: { model: PublishModel }): JSX.Element | null {
  const trans = useTrans();
  const files = model.check!.data_files;
  const chosen = model.form.dataFiles;
  if (files.length === 0) {
    return null;
  }
  return (
    <div className="carrel-Field">
      <span className="carrel-Field-label">{trans.__('Data files')}</span>
      <div className="carrel-Field-control">
        {files.map(file => (
          <label className="carrel-Check" key={file.path}>
            <input
              type="checkbox"
              checked={chosen.includes(file.path)}
              onChange={event =>
                model.update({
                  dataFiles: event.target.checked ? [...chosen, file.path] : chosen.filter(path => path !== file.path)
                })
              }
            />
            <span>
              {file.path} <span className="carrel-muted">{formatBytes(file.size)}</span>
            </span>
          </label>
        ))}
      </div>
    </div>
  );
}
