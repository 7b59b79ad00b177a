import { ellipsesIcon, searchIcon } from '@jupyterlab/ui-components';
import { useState } from 'react';
import { type InstalledFilter, normalized } from '../models/packages';
import type { IInstalledPackage } from '../schemas';
import { copyText } from './clipboard';
import { IconButton } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { formatBytes } from './format';
import { Grid } from './Grid';
import { openMenu } from './menu';
import { Notice } from './Notice';
import { blockReason } from './resultactions';
import { FilterChip } from './SearchBox';
import { Section } from './Section';
import { Button } from './Button';

/** Rows drawn before "Show more". */
const PAGE = 150;

/** The packages of the environment. */
export function Installed(): JSX.Element {
  const { packages, changes, environment, hub } = useCarrel();
  const trans = useTrans();
  useModel(packages);
  useModel(changes);
  useModel(environment);
  const [text, setText] = useState('');
  const [limit, setLimit] = useState(PAGE);
  const [expanded, setExpanded] = useState<string | null>(null);
  const reason = blockReason(environment.environment, hub.policy, trans);
  const enabled = reason === null && !changes.busy;
  const rows = packages.visible(text);

  const filters: [InstalledFilter, string][] = [
    ['requested', trans.__('Requested')],
    ['all', trans.__('All')],
    ['pip', trans.__('pip')],
    ['problems', trans.__('Problems')]
  ];

  const menu = (item: IInstalledPackage, at: Element | { x: number; y: number }) =>
    void openMenu(
      [
        {
          label: trans.__('Update'),
          disabled: !enabled || item.location !== null,
          run: () => void changes.start({ update: [item.name] })
        },
        {
          label: trans.__('Change version…'),
          disabled: !enabled,
          run: () => findVersions(item)
        },
        { label: trans.__('Remove'), disabled: !enabled, run: () => void changes.start({ remove: [item.name] }) },
        null,
        {
          label: trans.__('Copy name and version'),
          run: () => copyText(`${item.name}==${item.version}`)
        }
      ],
      at
    );

  const { search } = useCarrel();
  const findVersions = (item: IInstalledPackage) => {
    search.query = item.name;
  };

  const toggle = (item: IInstalledPackage) => setExpanded(expanded === key(item) ? null : key(item));

  return (
    <Section title={trans.__('Installed')} note={String(packages.items.length)} testid="carrel-installed">
      <div className="carrel-Toolbar">
        <div className="carrel-Filters" role="group" aria-label={trans.__('Which packages')}>
          {filters
            .filter(([name]) => name === 'requested' || name === 'all' || packages.count(name) > 0)
            .map(([name, label]) => (
              <FilterChip
                key={name}
                label={label}
                count={packages.count(name)}
                pressed={packages.filter === name}
                onClick={() => (packages.filter = name)}
              />
            ))}
        </div>
        <div className="carrel-SmallSearch">
          <searchIcon.react tag="span" className="carrel-Search-icon" aria-hidden="true" />
          <input
            type="text"
            aria-label={trans.__('Filter installed packages')}
            placeholder={trans.__('Filter')}
            value={text}
            onChange={event => setText(event.target.value)}
          />
        </div>
      </div>
      {packages.error && <Notice kind="error">{packages.error}</Notice>}
      {packages.loading && packages.items.length === 0 && (
        <p className="carrel-Empty">{trans.__('Reading packages…')}</p>
      )}
      <Grid
        label={trans.__('Installed packages')}
        items={rows.slice(0, limit)}
        itemKey={key}
        rowProps={item => ({
          'data-testid': 'carrel-installed-row',
          'data-name': item.name,
          'aria-expanded': expanded === key(item)
        })}
        onMenu={menu}
        onKey={(event, item) => {
          if (event.key === 'Enter' || event.key === ' ') {
            toggle(item);
          } else if (event.key === 'Delete' && enabled) {
            void changes.start({ remove: [item.name] });
          } else {
            return false;
          }
          return true;
        }}
        render={(item, focused) => (
          <InstalledRow
            item={item}
            focused={focused}
            expanded={expanded === key(item)}
            duplicated={packages.duplicated.has(normalized(item.name))}
            onToggle={() => toggle(item)}
            onMenu={at => menu(item, at)}
          />
        )}
      />
      {rows.length > limit && (
        <Button look="quiet" className="carrel-More" onClick={() => setLimit(limit + PAGE)}>
          {trans._n('Show %1 more', 'Show %1 more', Math.min(PAGE, rows.length - limit))}
        </Button>
      )}
      {!packages.loading && rows.length === 0 && packages.items.length > 0 && (
        <p className="carrel-Empty">{trans.__('Nothing matches.')}</p>
      )}
    </Section>
  );
}

interface IRowProps {
  item: IInstalledPackage;
  focused: boolean;
  expanded: boolean;
  duplicated: boolean;
  onToggle: () => void;
  onMenu: (at: Element) => void;
}

function InstalledRow({ item, focused, expanded, duplicated, onToggle, onMenu }: IRowProps): JSX.Element {
  const { changes } = useCarrel();
  const trans = useTrans();
  return (
    <>
      <div className="carrel-Row-main carrel-mod-single">
        <span className="carrel-Row-open" onClick={onToggle}>
          <span className="carrel-Row-name" title={item.summary ?? undefined}>
            {item.name}
          </span>
          {changes.concerns(item.name) && <span className="carrel-Row-aside">{trans.__('working…')}</span>}
          {duplicated && <span className="carrel-Badge carrel-mod-warning">{trans.__('installed twice')}</span>}
          {item.location && (
            <span className="carrel-Badge" title={item.location}>
              {trans.__('local')}
            </span>
          )}
          {item.source === 'pypi' && !item.location && <span className="carrel-Badge">{trans.__('pip')}</span>}
        </span>
        <span className="carrel-Row-version">{item.version}</span>
        <IconButton
          icon={ellipsesIcon}
          label={trans.__('Actions for %1', item.name)}
          tabIndex={focused ? 0 : -1}
          className="carrel-Row-more"
          aria-haspopup="menu"
          onClick={event => onMenu(event.currentTarget)}
        />
      </div>
      {expanded && (
        <dl className="carrel-Facts">
          {item.summary && <dd className="carrel-Facts-wide">{item.summary}</dd>}
          <Fact name={trans.__('From')} value={item.channel ?? (item.source === 'pypi' ? 'pip' : item.source)} />
          <Fact name={trans.__('Build')} value={item.build} />
          <Fact name={trans.__('Size')} value={item.size ? formatBytes(item.size) : null} />
          <Fact name={trans.__('Imports')} value={item.import_names.slice(0, 6).join(', ') || null} />
          <Fact name={trans.__('Folder')} value={item.location} />
        </dl>
      )}
    </>
  );
}

function Fact({ name, value }: { name: string; value: string | null }): JSX.Element | null {
  return value ? (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  ) : null;
}

function key(item: IInstalledPackage): string {
  return `${item.source} ${item.name}`;
}
