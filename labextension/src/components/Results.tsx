import { ellipsesIcon } from '@jupyterlab/ui-components';
import { tickIcon } from '../icons';
import { rowKey } from '../models/search';
import type { ISearchItem } from '../schemas';
import { Button, IconButton } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { openResultMenu, RESULTS_ID, resultRowId, type IResultActions, useResultActions } from './resultactions';
import { ResultDetails } from './ResultDetails';
import { Section } from './Section';
import { Notice } from './Notice';

/** What the search found, best match first. */
export function Results(): JSX.Element | null {
  const { search, hub } = useCarrel();
  const trans = useTrans();
  useModel(search);
  useModel(hub);
  const actions = useResultActions();
  if (!search.query.trim()) {
    return null;
  }
  const { items } = search;
  // That the hub does not answer stands above already.
  const unreachable = hub.status?.hub.configured && !hub.status.hub.reachable;
  const failed = search.failed.filter(
    source => !unreachable || hub.sources.find(known => known.id === source.id)?.type !== 'hub'
  );
  return (
    <Section
      title={trans.__('Results')}
      note={search.settled ? String(items.length) : trans.__('searching…')}
      testid="carrel-results-section"
    >
      {actions.reason && !actions.readOnly && <Notice kind="info">{actions.reason}</Notice>}
      {search.error && <Notice kind="error">{search.error}</Notice>}
      <div
        id={RESULTS_ID}
        role="grid"
        aria-label={trans.__('Results')}
        aria-busy={search.searching}
        className="carrel-Grid"
      >
        {items.map((item, index) => (
          <ResultRow key={rowKey(item)} item={item} index={index} actions={actions} />
        ))}
      </div>
      {failed.map(source => (
        <p className="carrel-Empty" role="status" key={source.id}>
          {source.error?.includes(hub.sourceName(source.id))
            ? source.error
            : trans.__('%1 did not answer: %2', hub.sourceName(source.id), source.error ?? '')}
        </p>
      ))}
      {search.settled && items.length === 0 && !search.error && <NoResults />}
    </Section>
  );
}

function ResultRow(props: { item: ISearchItem; index: number; actions: IResultActions }): JSX.Element {
  const { item, index, actions } = props;
  const { search } = useCarrel();
  const trans = useTrans();
  const expanded = search.expanded === rowKey(item);
  const active = search.active === index;
  return (
    <div
      id={resultRowId(index)}
      role="row"
      className={`carrel-Row ${active ? 'carrel-mod-active' : ''}`}
      data-testid="carrel-result"
      data-name={item.name}
      data-source={item.source}
      data-state={item.state}
      aria-selected={active}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation();
        openResultMenu(item, actions, trans, { x: event.clientX, y: event.clientY });
      }}
    >
      <div role="gridcell" className="carrel-Row-cell">
        <div className="carrel-Row-main">
          <button
            type="button"
            className="carrel-Row-open"
            tabIndex={active ? 0 : -1}
            aria-expanded={expanded}
            aria-label={trans.__('Details of %1', item.name)}
            onClick={() => {
              search.active = index;
              search.toggle(item);
            }}
          >
            <span className="carrel-Row-name">{item.name}</span>
            <span className="carrel-Row-version">{item.version}</span>
          </button>
          <ResultAction {...props} tabIndex={active ? 0 : -1} />
          <IconButton
            icon={ellipsesIcon}
            label={trans.__('More about %1', item.name)}
            tabIndex={active ? 0 : -1}
            className="carrel-Row-more"
            aria-haspopup="menu"
            onClick={event => openResultMenu(item, actions, trans, event.currentTarget)}
          />
        </div>
        <div className="carrel-Row-line">
          <span className="carrel-Badge" data-type={item.source_type}>
            {item.channel_name}
          </span>
          {item.alternatives.length > 0 && (
            <span className="carrel-Row-aside">{trans._n('+%1 source', '+%1 sources', item.alternatives.length)}</span>
          )}
          <span className="carrel-Row-summary" title={item.summary ?? undefined}>
            {item.summary}
          </span>
        </div>
        {item.state === 'incompatible' && item.reason && <div className="carrel-Row-reason">{item.reason}</div>}
      </div>
      {expanded && (
        <div role="gridcell" className="carrel-Row-details">
          <ResultDetails item={item} actions={actions} />
        </div>
      )}
    </div>
  );
}

function ResultAction(props: { item: ISearchItem; actions: IResultActions; tabIndex: number }): JSX.Element {
  const { item, actions, tabIndex } = props;
  const { changes } = useCarrel();
  const trans = useTrans();
  const waiting = changes.concerns(item.name);
  if (item.state === 'installed') {
    return (
      <span className="carrel-Row-state">
        <tickIcon.react tag="span" className="carrel-tick" aria-hidden="true" />
        {trans.__('Installed')}
      </span>
    );
  }
  if (item.state === 'incompatible') {
    return <span className="carrel-Row-state carrel-mod-muted">{trans.__('Not available')}</span>;
  }
  const update = item.state === 'update';
  return (
    <Button
      look="normal"
      testid="carrel-install"
      tabIndex={tabIndex}
      disabled={!actions.enabled}
      title={actions.reason ?? undefined}
      aria-label={update ? trans.__('Update %1 to %2', item.name, item.version) : trans.__('Install %1', item.name)}
      onClick={() => actions.install(item)}
    >
      {waiting ? trans.__('Working…') : update ? trans.__('Update') : trans.__('Install')}
    </Button>
  );
}

function NoResults(): JSX.Element {
  const { search } = useCarrel();
  const trans = useTrans();
  const { suggestion } = search;
  return (
    <div className="carrel-Empty" data-testid="carrel-no-results">
      <p>
        {search.sources.length > 0
          ? trans.__('No package “%1” there.', search.query.trim())
          : trans.__('No package “%1” was found.', search.query.trim())}
      </p>
      {suggestion && (
        <p>
          {trans.__('Did you mean')}{' '}
          <button type="button" className="carrel-Link" onClick={() => (search.query = suggestion)}>
            {suggestion}
          </button>
        </p>
      )}
      {search.sources.length > 0 && (
        <Button onClick={() => (search.sources = [])}>{trans.__('Search every source')}</Button>
      )}
    </div>
  );
}
