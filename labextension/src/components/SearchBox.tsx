import { closeIcon, searchIcon } from '@jupyterlab/ui-components';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { rowKey } from '../models/search';
import { IconButton } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { openResultMenu, resultRowId, RESULTS_ID, useResultActions } from './resultactions';

/** Search over packages, summaries and import names; the keyboard works on the list below without leaving the box. */
export function SearchBox(): JSX.Element {
  const carrel = useCarrel();
  const trans = useTrans();
  const search = useModel(carrel.search);
  const hub = useModel(carrel.hub);
  const actions = useResultActions();
  const input = useRef<HTMLInputElement>(null);
  const active = search.items[search.active];

  const row = active ? resultRowId(search.active) : null;
  useEffect(() => {
    if (row) {
      document.getElementById(row)?.scrollIntoView({ block: 'nearest' });
    }
  }, [row]);

  const onKeyDown = (event: KeyboardEvent) => {
    const target = active ?? search.items[0];
    if (event.key === 'ArrowDown') {
      search.active += 1;
    } else if (event.key === 'ArrowUp') {
      search.active -= 1;
    } else if (event.key === 'Escape' && search.query) {
      search.clear();
    } else if (event.key === 'Enter' && target) {
      search.active = search.items.indexOf(target);
      if (event.ctrlKey || event.metaKey) {
        actions.install(target);
      } else {
        search.toggle(target);
      }
    } else if (active && (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey))) {
      const element = document.getElementById(resultRowId(search.active));
      openResultMenu(active, actions, trans, element ?? input.current!);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="carrel-Search" role="search">
      <div className="carrel-Search-box">
        <searchIcon.react tag="span" className="carrel-Search-icon" aria-hidden="true" />
        <input
          ref={input}
          type="text"
          role="combobox"
          data-testid="carrel-search-input"
          className="carrel-Search-input"
          placeholder={trans.__('Search packages')}
          aria-label={trans.__('Search packages')}
          aria-keyshortcuts="/"
          aria-expanded={search.items.length > 0}
          aria-haspopup="grid"
          aria-controls={RESULTS_ID}
          aria-autocomplete="list"
          aria-activedescendant={row ?? undefined}
          autoComplete="off"
          spellCheck={false}
          value={search.query}
          onChange={event => (search.query = event.target.value)}
          onKeyDown={onKeyDown}
          key="search"
        />
        {search.query ? (
          <IconButton
            icon={closeIcon}
            label={trans.__('Clear the search')}
            onClick={() => {
              search.clear();
              input.current?.focus();
            }}
          />
        ) : (
          <kbd className="carrel-Search-hint" aria-hidden="true">
            /
          </kbd>
        )}
      </div>
      {search.query && hub.sources.length > 1 && (
        <div className="carrel-Filters" role="group" aria-label={trans.__('Sources')}>
          <FilterChip
            label={trans.__('All')}
            pressed={search.sources.length === 0}
            onClick={() => (search.sources = [])}
          />
          {hub.sources.map(source => (
            <FilterChip
              key={source.id}
              label={hub.sourceName(source.id)}
              pressed={search.sources.includes(source.id)}
              onClick={() => (search.sources = search.sources.includes(source.id) ? [] : [source.id])}
            />
          ))}
        </div>
      )}
      <span className="carrel-visuallyHidden" role="status">
        {search.query && search.settled ? trans._n('%1 result', '%1 results', search.items.length) : ''}
        {active ? ` ${rowKey(active).split('\n')[1]}` : ''}
      </span>
    </div>
  );
}

/** A small toggle in a row of filters. */
export function FilterChip(props: {
  label: string;
  pressed: boolean;
  count?: number;
  onClick: () => void;
}): JSX.Element {
  return (
    <button type="button" className="carrel-FilterChip" aria-pressed={props.pressed} onClick={props.onClick}>
      {props.label}
      {props.count !== undefined && <span className="carrel-FilterChip-count">{props.count}</span>}
    </button>
  );
}
