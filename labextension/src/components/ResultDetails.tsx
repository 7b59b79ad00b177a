import { useState } from 'react';
import { tickIcon } from '../icons';
import type { IPackageDetails, ISearchItem } from '../schemas';
import { Button } from './Button';
import { useCarrel, useTrans } from './context';
import { formatBytes, formatDate } from './format';
import type { IResultActions } from './resultactions';

/** Versions shown before "Show all". */
const FEW = 5;

/** What a source says about a package, under its row. */
export function ResultDetails(props: { item: ISearchItem; actions: IResultActions }): JSX.Element {
  const { search } = useCarrel();
  const trans = useTrans();
  const details = search.details(props.item);
  if (details === undefined) {
    return <p className="carrel-muted">{trans.__('Reading…')}</p>;
  }
  if (details instanceof Error) {
    return (
      <p className="carrel-muted" role="alert">
        {details.message}
      </p>
    );
  }
  const links: [string, string | null | undefined][] = [
    [trans.__('Home page'), details.home_page],
    ...Object.entries(details.urls ?? {}).map(([key, url]): [string, string] => [
      key === 'hub' ? trans.__('On the hub') : key,
      url
    ])
  ];
  return (
    <div className="carrel-Details">
      {(details.description || details.summary) && (
        <p className="carrel-Details-text">{plainStart(details.description || details.summary!)}</p>
      )}
      <p className="carrel-Details-facts">
        {details.license && <span>{details.license}</span>}
        {props.item.import_names.length > 0 && (
          <span>
            <code>{`import ${props.item.import_names[0]}`}</code>
          </span>
        )}
        {links.map(
          ([label, url]) =>
            url &&
            /^https?:\/\//.test(url) && (
              <a key={label} href={url} target="_blank" rel="noopener noreferrer" className="carrel-Link">
                {label}
              </a>
            )
        )}
      </p>
      <Versions {...props} details={details} />
      {details.dependencies.length > 0 && (
        <details className="carrel-Details-more">
          <summary>{trans._n('%1 dependency', '%1 dependencies', details.dependencies.length)}</summary>
          <ul className="carrel-Details-list">
            {details.dependencies.map(dependency => (
              <li key={dependency.spec}>
                <code>{dependency.spec}</code>
                {dependency.satisfied && (
                  <span className="carrel-muted">
                    <tickIcon.react tag="span" className="carrel-tick" aria-hidden="true" />
                    {trans.__('already there')}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Versions(props: { item: ISearchItem; actions: IResultActions; details: IPackageDetails }): JSX.Element {
  const { item, actions, details } = props;
  const trans = useTrans();
  const [all, setAll] = useState(false);
  const shown = all ? details.versions : details.versions.slice(0, FEW);
  return (
    <div className="carrel-Versions">
      <h3 className="carrel-Details-title">{trans.__('Versions')}</h3>
      <ul className="carrel-Versions-list" aria-label={trans.__('Versions of %1', item.name)}>
        {shown.map(version => (
          <li key={`${version.version} ${version.build ?? ''}`} className="carrel-Versions-row">
            <span className="carrel-Versions-name">{version.version}</span>
            <span className="carrel-Versions-facts">
              {version.published_at && formatDate(version.published_at)}
              {version.size ? <span className="carrel-Versions-size">{formatBytes(version.size)}</span> : null}
            </span>
            {version.version === item.installed_version ? (
              <span className="carrel-muted">{trans.__('installed')}</span>
            ) : version.installable ? (
              <Button
                look="quiet"
                disabled={!actions.enabled}
                aria-label={trans.__('Install %1 %2', item.name, version.version)}
                onClick={() => actions.install(item, version.version)}
              >
                {trans.__('Install')}
              </Button>
            ) : (
              <span className="carrel-muted" title={version.reason ?? undefined}>
                {version.reason ?? trans.__('not for this environment')}
              </span>
            )}
          </li>
        ))}
      </ul>
      {!all && details.versions.length > FEW && (
        <Button look="quiet" onClick={() => setAll(true)}>
          {trans.__('Show all %1', details.versions.length)}
        </Button>
      )}
    </div>
  );
}

/** The beginning of a README, without its markup. */
function plainStart(text: string): string {
  const plain = text
    .replace(/<[^>]+>/g, ' ')
    .replace(/^#.*$/gm, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[#*`=]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > 320 ? `${plain.slice(0, 320).replace(/\s\S*$/, '')}…` : plain;
}
