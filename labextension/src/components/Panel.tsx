import { type KeyboardEvent, useEffect, useRef } from 'react';
import { Activity } from './Activity';
import { Channels } from './Channels';
import { useCarrel, useModel, useTrans } from './context';
import { CopySheet } from './CopySheet';
import { EnvironmentHeader } from './EnvironmentHeader';
import { Installed } from './Installed';
import { RestartBar } from './RestartBar';
import { Results } from './Results';
import { SearchBox } from './SearchBox';
import { Shared } from './Shared';
import { EmptyState, EnvironmentNotice } from './States';
import { ThisNotebook } from './ThisNotebook';
import { TransactionSheet } from './TransactionSheet';

/** The whole panel: what never scrolls on top, sections below. */
export function Panel(): JSX.Element {
  const { environment, hub, search } = useCarrel();
  const trans = useTrans();
  useModel(environment);
  useModel(hub);
  const { query } = useModel(search);
  const root = useRef<HTMLDivElement>(null);
  const empty =
    !environment.environment &&
    environment.state !== 'loading' &&
    environment.state !== 'error' &&
    environment.state !== 'dead';
  const broken = hub.missingServer || environment.state === 'missing-server';

  // Results are at the top, wherever the list was scrolled to.
  useEffect(() => {
    const list = root.current?.querySelector('.carrel-Panel-scroll');
    if (list && query) {
      list.scrollTop = 0;
    }
  }, [query]);

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (event.key === '/' && !event.ctrlKey && !event.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
      event.preventDefault();
      root.current?.querySelector<HTMLInputElement>('.carrel-Search-input')?.focus();
    }
  };

  return (
    <div
      ref={root}
      className="carrel-Panel-content"
      role="region"
      aria-label={trans.__('Packages')}
      data-testid="carrel-panel"
      data-state={environment.state}
      onKeyDown={onKeyDown}
    >
      {broken ? (
        <EmptyState />
      ) : (
        <>
          <EnvironmentHeader />
          <SearchBox />
          <div className="carrel-Panel-status">
            <CopySheet />
            <TransactionSheet />
            <RestartBar />
          </div>
          <div className="carrel-Panel-scroll">
            <EnvironmentNotice />
            <Results />
            {empty ? (
              <EmptyState />
            ) : (
              <>
                <ThisNotebook />
                <Installed />
              </>
            )}
            <Shared />
            <Channels />
            <Activity />
          </div>
        </>
      )}
    </div>
  );
}
