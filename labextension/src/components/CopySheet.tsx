import { useEffect, useId, useRef } from 'react';
import { tickIcon } from '../icons';
import type { CopyModel } from '../models/copies';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { Notice } from './Notice';
import { Progress } from './Progress';

/** A link that offers a private copy of the environment shown; null where none can be made. */
export function CopyOffer(): JSX.Element | null {
  const { copies, hub, environment } = useCarrel();
  const trans = useTrans();
  useModel(copies);
  useModel(hub);
  useModel(environment);
  if (!hub.policy.allow_install || !copies.possible || copies.state !== 'idle') {
    return null;
  }
  return (
    <button type="button" className="carrel-Link" data-testid="carrel-make-copy" onClick={() => void copies.open()}>
      {trans.__('Make my own copy…')}
    </button>
  );
}

/** A copy from its name to the kernel that uses it. */
export function CopySheet(): JSX.Element | null {
  const { copies } = useCarrel();
  const trans = useTrans();
  useModel(copies);
  const { state } = copies;
  const before = useRef(state);
  useEffect(() => {
    // Closed with the keyboard in it: that goes on at the environment, not at the top of the page.
    if (state === 'idle' && before.current !== 'idle' && document.activeElement === document.body) {
      document.querySelector<HTMLElement>('.carrel-Panel-content .carrel-Chip')?.focus();
    }
    before.current = state;
  }, [state]);
  if (state === 'idle') {
    return null;
  }
  return (
    <div
      className="carrel-Sheet"
      role="group"
      aria-label={trans.__('My own copy')}
      data-testid="carrel-copy-sheet"
      data-state={state}
      onKeyDown={event => {
        if (event.key === 'Escape' && !copies.working) {
          event.stopPropagation();
          copies.close();
        }
      }}
    >
      {state === 'copying' && <Copying copies={copies} />}
      {(state === 'ready' || state === 'failed') && <NameForm copies={copies} />}
      {state === 'done' && <Made copies={copies} />}
    </div>
  );
}

function NameForm({ copies }: { copies: CopyModel }): JSX.Element {
  const trans = useTrans();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const invalid = !copies.nameIsValid;
  return (
    <form
      className="carrel-Sheet-form"
      onSubmit={event => {
        event.preventDefault();
        void copies.make();
      }}
    >
      <strong>{trans.__('Make my own copy of %1', copies.source?.name ?? '')}</strong>
      <p className="carrel-muted">
        {trans.__('The same packages in a folder of yours, where you can change them. The original stays as it is.')}
      </p>
      {copies.error && <Notice kind="error">{copies.error}</Notice>}
      <label className="carrel-Field carrel-mod-stacked">
        <span className="carrel-Field-label">{trans.__('Name of the copy')}</span>
        <input
          ref={input}
          type="text"
          className="carrel-Input"
          data-testid="carrel-copy-name"
          autoComplete="off"
          spellCheck={false}
          maxLength={80}
          value={copies.name}
          aria-invalid={invalid}
          aria-describedby={invalid ? `${id}-hint` : undefined}
          onChange={event => (copies.name = event.target.value)}
        />
        {invalid && (
          <span id={`${id}-hint`} className="carrel-Field-hint" role="status">
            {trans.__('Use letters, digits, “-”, “_” and “.”; begin with a letter or digit.')}
          </span>
        )}
      </label>
      <div className="carrel-Sheet-buttons">
        <button
          type="submit"
          className="carrel-Button carrel-mod-primary"
          data-testid="carrel-copy-make"
          disabled={invalid}
        >
          {trans.__('Make the copy')}
        </button>
        <Button testid="carrel-copy-close" onClick={() => copies.close()}>
          {trans.__('Cancel')}
        </Button>
      </div>
    </form>
  );
}

function Copying({ copies }: { copies: CopyModel }): JSX.Element {
  const { jobs } = useCarrel();
  const trans = useTrans();
  useModel(jobs);
  const cancel = useRef<HTMLButtonElement>(null);
  useEffect(() => cancel.current?.focus(), []);
  return (
    <>
      <div className="carrel-Sheet-head">
        <strong>{trans.__('Copying %1 to %2', copies.source?.name ?? '', copies.name)}</strong>
      </div>
      <div className="carrel-Sheet-progress">
        <Progress job={copies.jobId ? jobs.get(copies.jobId) : undefined} />
        <button
          type="button"
          ref={cancel}
          className="carrel-Button carrel-mod-normal"
          data-testid="carrel-copy-cancel"
          onClick={() => void copies.cancel()}
        >
          {trans.__('Cancel')}
        </button>
      </div>
    </>
  );
}

function Made({ copies }: { copies: CopyModel }): JSX.Element {
  const trans = useTrans();
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  const { session, result } = copies;
  const usable = session && result?.kernel_name;
  return (
    <>
      <p className="carrel-Sheet-said" role="status">
        <tickIcon.react tag="span" className="carrel-tick" aria-hidden="true" />
        <strong>{trans.__('Your copy %1 is ready.', copies.name)}</strong>
      </p>
      {copies.error && <Notice kind="error">{copies.error}</Notice>}
      <p className="carrel-muted">
        {usable
          ? session.session?.kernel
            ? trans.__(
                'Cells and outputs of %1 stay as they are. Its kernel is started anew: run the cells whose variables you need.',
                session.name
              )
            : trans.__('Cells and outputs of %1 stay as they are.', session.name)
          : result?.kernel_name
            ? trans.__('Choose the kernel “%1” in any notebook.', copies.name)
            : trans.__('It holds no kernel: install ipykernel in it to use it in notebooks.')}
      </p>
      <div className="carrel-Sheet-buttons">
        {usable && (
          <button
            type="button"
            ref={first}
            className="carrel-Button carrel-mod-primary"
            data-testid="carrel-copy-use"
            disabled={copies.switching}
            onClick={() => void copies.use()}
          >
            {copies.switching ? trans.__('Switching…') : trans.__('Switch %1 to it', session.name)}
          </button>
        )}
        <Button testid="carrel-copy-show" disabled={copies.switching} onClick={() => copies.show()}>
          {trans.__('Show it here')}
        </Button>
        <Button look="quiet" testid="carrel-copy-close" disabled={copies.switching} onClick={() => copies.close()}>
          {trans.__('Close')}
        </Button>
      </div>
    </>
  );
}
