import { type ReactNode, useEffect } from 'react';
import { CommandIDs } from '../commandids';
import { environmentIcon } from '../icons';
import { Button } from './Button';
import { useCarrel, useCommands, useModel, useTrans } from './context';
import { CopyOffer } from './CopySheet';
import { Notice } from './Notice';

/** Says what is out of the ordinary about the environment, with the way on. Null when nothing is. */
export function EnvironmentNotice(): JSX.Element | null {
  const { environment: model, hub } = useCarrel();
  const trans = useTrans();
  useModel(model);
  useModel(hub);
  const { environment, state } = model;
  const notices: JSX.Element[] = [];
  const say = (kind: 'info' | 'warning' | 'error', text: ReactNode) =>
    notices.push(
      <Notice kind={kind} key={notices.length} testid="carrel-notice">
        {text}
      </Notice>
    );
  if (state === 'error') {
    say(
      'error',
      <>
        {model.error} <LinkButton onClick={() => void model.refresh()}>{trans.__('Retry')}</LinkButton>
      </>
    );
  } else if (state === 'dead') {
    say(
      'error',
      trans.__(
        'The environment of this kernel no longer exists. Choose another kernel, or rebuild it from a lock file.'
      )
    );
  } else if (state === 'no-kernel') {
    say('info', trans.__('The kernel is not started: packages are read from disk.'));
  }
  if (environment && state !== 'dead') {
    if (environment.kind === 'remote') {
      say('info', trans.__('This kernel runs elsewhere: its packages cannot be changed from here.'));
    } else if (!environment.writable) {
      say(
        'info',
        <>
          {environment.reason_read_only || trans.__('This environment is read-only.')} <CopyOffer />
        </>
      );
    }
    if (!['python', 'R', 'r'].includes(environment.language)) {
      say('info', trans.__('Only conda packages for %1.', environment.language));
    }
    if (environment.is_server_environment && environment.writable) {
      say(
        'info',
        <>
          {trans.__('JupyterLab itself runs in this environment.')} <CopyOffer />
        </>
      );
    }
  }
  const status = hub.status;
  if (status?.hub.configured && !status.hub.reachable) {
    say(
      'warning',
      <>
        {status.hub.error || trans.__('The hub does not answer: what it holds is missing here.')}{' '}
        <LinkButton onClick={() => void hub.load()}>{trans.__('Retry')}</LinkButton>
      </>
    );
  }
  return notices.length ? <div className="carrel-Notices">{notices}</div> : null;
}

/** Shown instead of the sections when there is nothing to manage. */
export function EmptyState(): JSX.Element {
  const { environment: model, hub } = useCarrel();
  const commands = useCommands();
  const trans = useTrans();
  useModel(model);
  useModel(hub);
  const broken = hub.missingServer || model.state === 'missing-server';
  useEffect(() => {
    if (!broken) {
      void model.loadKnown();
    }
  }, [broken, model]);
  if (broken) {
    return (
      <Blank title={trans.__('No server side')} testid="carrel-missing-server">
        <p>{trans.__('This panel needs a Jupyter server with the “carrel” package installed and enabled.')}</p>
        <Button onClick={() => void hub.load().then(() => model.refresh())}>{trans.__('Retry')}</Button>
      </Blank>
    );
  }
  return (
    <Blank title={trans.__('Open a notebook to manage its packages')} testid="carrel-no-notebook">
      {model.known.length > 0 && (
        <>
          <p className="carrel-muted">{trans.__('or choose an environment:')}</p>
          <ul className="carrel-Choices" aria-label={trans.__('Environments')}>
            {model.known.map(item => (
              <li key={item.id}>
                <button
                  type="button"
                  className="carrel-Choice"
                  data-testid="carrel-choose"
                  data-name={item.name}
                  title={item.prefix}
                  onClick={() => model.choose(item)}
                >
                  <environmentIcon.react tag="span" className="carrel-Row-icon" aria-hidden="true" />
                  <span className="carrel-Choice-text">
                    <span className="carrel-Row-name">{item.name}</span>
                    <span className="carrel-muted">
                      {[item.python_version && trans.__('Python %1', item.python_version), item.kind]
                        .filter(Boolean)
                        .join(' · ')}
                    </span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {hub.status?.hub.configured && commands.hasCommand(CommandIDs.openHub) && (
        <Button onClick={() => void commands.execute(CommandIDs.openHub)}>{trans.__('Open from hub…')}</Button>
      )}
    </Blank>
  );
}

function Blank(props: { title: string; testid: string; children: ReactNode }): JSX.Element {
  return (
    <div className="carrel-Blank" role="status" data-testid={props.testid}>
      <h2 className="carrel-Blank-title">{props.title}</h2>
      {props.children}
    </div>
  );
}

function LinkButton(props: { onClick: () => void; children: ReactNode }): JSX.Element {
  return (
    <button type="button" className="carrel-Link" onClick={props.onClick}>
      {props.children}
    </button>
  );
}
