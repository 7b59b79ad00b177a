import { tickIcon, warningIcon } from '../icons';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { Section } from './Section';
import { SignIn } from './SignIn';

/** Where packages come from, in order, and who is signed in. */
export function Channels(): JSX.Element {
  const { hub, search } = useCarrel();
  const trans = useTrans();
  useModel(hub);
  useModel(search);
  const user = hub.status?.hub.user;
  const failed = new Set(search.failed.map(source => source.id));
  return (
    <Section
      title={trans.__('Channels')}
      note={hub.sources.length ? String(hub.sources.length) : undefined}
      testid="carrel-channels"
      defaultOpen={false}
    >
      <ol className="carrel-Sources" aria-label={trans.__('Sources in order of preference')}>
        {hub.sources.map(source => {
          const bad = failed.has(source.id) || (source.type === 'hub' && hub.status?.hub.reachable === false);
          const Icon = bad ? warningIcon : tickIcon;
          return (
            <li key={source.id} className="carrel-Sources-item" data-testid="carrel-source" data-name={source.id}>
              <Icon.react tag="span" className={bad ? 'carrel-warn' : 'carrel-tick'} aria-hidden="true" />
              <span className="carrel-Row-name">{hub.sourceName(source.id)}</span>
              <span className="carrel-Badge">{typeLabel(source.type, trans)}</span>
              {bad && <span className="carrel-muted">{trans.__('not reachable')}</span>}
              {address(source.url) !== hub.sourceName(source.id) && (
                <span className="carrel-Sources-url" title={source.url}>
                  {address(source.url)}
                </span>
              )}
            </li>
          );
        })}
      </ol>
      <div className="carrel-Account">
        {user ? (
          <>
            <span className="carrel-Account-who">
              <span className="carrel-Row-name">{user.display_name || user.name}</span>
              <span className="carrel-muted">{hub.namespaces.map(namespace => namespace.name).join(', ')}</span>
            </span>
            <Button look="quiet" testid="carrel-sign-out" onClick={() => void hub.signOut()}>
              {trans.__('Sign out')}
            </Button>
          </>
        ) : (
          <SignIn />
        )}
      </div>
    </Section>
  );
}

function address(url: string): string {
  return url.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

function typeLabel(type: 'hub' | 'conda' | 'pypi', trans: ReturnType<typeof useTrans>): string {
  return type === 'hub' ? trans.__('hub') : type === 'conda' ? 'conda' : trans.__('Python index');
}
