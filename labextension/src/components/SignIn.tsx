import { useEffect, useRef } from 'react';
import { copyText } from './clipboard';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { Notice } from './Notice';

/** Sign in without typing a password here: a code is confirmed on the hub's own page. */
export function SignIn(props: { text?: string }): JSX.Element | null {
  const { hub } = useCarrel();
  const trans = useTrans();
  useModel(hub);
  const { state, flow, error } = hub.signIn;
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (flow) {
      link.current?.focus();
    }
  }, [flow]);

  if (hub.status && !hub.status.hub.configured) {
    return <p className="carrel-muted">{trans.__('No hub is configured on this server.')}</p>;
  }
  if (hub.status && !hub.status.hub.reachable) {
    return (
      <div className="carrel-SignIn">
        <p className="carrel-muted">{trans.__('The hub does not answer. Signing in has to wait until it does.')}</p>
        <Button onClick={() => void hub.load()}>{trans.__('Retry')}</Button>
      </div>
    );
  }
  if (state === 'pending' && flow) {
    const safe = /^https?:\/\//.test(flow.verification_uri_complete);
    return (
      <div className="carrel-SignIn" role="group" aria-label={trans.__('Sign in')} data-testid="carrel-sign-in-flow">
        <p>{trans.__('Confirm this code on the page of the hub:')}</p>
        <p className="carrel-SignIn-code" data-testid="carrel-user-code">
          {flow.user_code}
        </p>
        <div className="carrel-SignIn-buttons">
          {safe && (
            <a
              ref={link}
              className="carrel-Button carrel-mod-primary"
              href={flow.verification_uri_complete}
              target="_blank"
              rel="noopener noreferrer"
            >
              {trans.__('Open the page')}
            </a>
          )}
          <Button onClick={() => copyText(flow.user_code)}>{trans.__('Copy code')}</Button>
          <Button look="quiet" onClick={() => hub.cancelSignIn()}>
            {trans.__('Cancel')}
          </Button>
        </div>
        <p className="carrel-muted" role="status">
          {trans.__('Waiting for the confirmation…')}
        </p>
      </div>
    );
  }
  return (
    <div className="carrel-SignIn">
      {state === 'expired' && <Notice kind="warning">{trans.__('The code expired. Start again.')}</Notice>}
      {state === 'denied' && (
        <Notice kind="warning">{trans.__('The sign-in was refused on the page of the hub.')}</Notice>
      )}
      {state === 'failed' && <Notice kind="error">{error}</Notice>}
      <p className="carrel-muted">{props.text ?? trans.__('Sign in to see private packages and to publish.')}</p>
      <Button testid="carrel-sign-in" disabled={state === 'starting'} onClick={() => void hub.startSignIn()}>
        {state === 'starting' ? trans.__('Starting…') : trans.__('Sign in to the hub')}
      </Button>
    </div>
  );
}
