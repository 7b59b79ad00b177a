import { searchIcon } from '@jupyterlab/ui-components';
import { CommandIDs } from '../commandids';
import { environmentIcon, notebookShareIcon } from '../icons';
import type { IHubItem } from '../schemas';
import { copyText } from './clipboard';
import { Button } from './Button';
import { useCarrel, useCommands, useModel, useTrans } from './context';
import { formatAgo } from './format';
import { Grid } from './Grid';
import { openMenu } from './menu';
import { Notice } from './Notice';
import { Section } from './Section';

/** Notebooks and environments on the hub. */
export function Shared(): JSX.Element | null {
  const { hub } = useCarrel();
  const commands = useCommands();
  const trans = useTrans();
  useModel(hub);
  if (!hub.status?.hub.configured || !commands.hasCommand(CommandIDs.openHub)) {
    return null;
  }
  const open = (item: IHubItem) =>
    void commands.execute(CommandIDs.openHub, { reference: `${item.namespace}/${item.name}` });
  const menu = (item: IHubItem, at: Element | { x: number; y: number }) =>
    void openMenu(
      [
        { label: trans.__('Open…'), run: () => open(item) },
        { label: trans.__('Show on the hub'), run: () => window.open(item.url, '_blank', 'noopener') },
        { label: trans.__('Copy link'), run: () => copyText(item.url) }
      ],
      at
    );
  return (
    <Section title={trans.__('Shared')} testid="carrel-shared" defaultOpen={false} onOpen={() => void hub.loadShared()}>
      <div className="carrel-Toolbar">
        <div className="carrel-SmallSearch carrel-mod-wide">
          <searchIcon.react tag="span" className="carrel-Search-icon" aria-hidden="true" />
          <input
            type="text"
            data-testid="carrel-shared-search"
            aria-label={trans.__('Search notebooks and environments on the hub')}
            placeholder={trans.__('Search notebooks and environments')}
            value={hub.sharedQuery}
            onChange={event => (hub.sharedQuery = event.target.value)}
          />
        </div>
      </div>
      {hub.sharedError && !hub.status.hub.reachable && (
        <p className="carrel-Empty">{trans.__('The hub does not answer.')}</p>
      )}
      {hub.sharedError && hub.status.hub.reachable && (
        <Notice kind="warning">
          {hub.sharedError}{' '}
          <button type="button" className="carrel-Link" onClick={() => void hub.loadShared()}>
            {trans.__('Retry')}
          </button>
        </Notice>
      )}
      <Grid
        label={trans.__('Shared notebooks and environments')}
        items={hub.shared}
        itemKey={item => `${item.namespace}/${item.name}`}
        rowProps={item => ({ 'data-testid': 'carrel-shared-row', 'data-name': `${item.namespace}/${item.name}` })}
        onMenu={menu}
        onKey={(event, item) => event.key === 'Enter' && (open(item), true)}
        render={(item, focused) => {
          const notebook = item.kinds.includes('notebook');
          const Icon = notebook ? notebookShareIcon : environmentIcon;
          return (
            <>
              <div className="carrel-Row-main">
                <span className="carrel-Row-open" onClick={() => open(item)}>
                  <Icon.react
                    tag="span"
                    className="carrel-Row-icon"
                    title={notebook ? trans.__('Notebook') : trans.__('Environment')}
                  />
                  <span className="carrel-Row-name">
                    <span className="carrel-muted">{item.namespace}/</span>
                    {item.name}
                  </span>
                  {item.latest_version && (
                    <span className="carrel-Row-version">{trans.__('v%1', item.latest_version)}</span>
                  )}
                </span>
                <Button
                  testid="carrel-open-shared"
                  tabIndex={focused ? 0 : -1}
                  aria-label={trans.__('Open %1', `${item.namespace}/${item.name}`)}
                  onClick={() => open(item)}
                >
                  {trans.__('Open')}
                </Button>
              </div>
              <div className="carrel-Row-line">
                {item.visibility !== 'public' && (
                  <span className="carrel-Badge">{visibilityLabel(item.visibility, trans)}</span>
                )}
                {item.updated_at && <span className="carrel-Row-aside">{formatAgo(item.updated_at)}</span>}
                <span className="carrel-Row-summary">{item.summary}</span>
              </div>
            </>
          );
        }}
      />
      {!hub.sharedLoading && !hub.sharedError && hub.shared.length === 0 && (
        <p className="carrel-Empty">
          {hub.sharedQuery ? trans.__('Nothing matches.') : trans.__('Nothing is shared here yet.')}
        </p>
      )}
    </Section>
  );
}

export function visibilityLabel(visibility: string, trans: ReturnType<typeof useTrans>): string {
  const labels: Record<string, string> = {
    private: trans.__('Private'),
    organization: trans.__('Organization'),
    unlisted: trans.__('Anyone with the link'),
    public: trans.__('Public')
  };
  return labels[visibility] ?? visibility;
}
