import type { ISolved } from '../schemas';
import { useTrans } from './context';
import { formatBytes, formatDate } from './format';
import { Notice } from './Notice';

/** What a publication from another platform becomes on this one: versions that differ, packages that come or are missing. */
export function SolvedReview({ solved }: { solved: ISolved }): JSX.Element {
  const trans = useTrans();
  const { versions, missing, extra, builds, packages } = solved;
  const same = packages - versions.length - extra.length;
  const rows = [
    ...versions.map(({ name, from, to }) => ({ name, from, to })),
    ...missing.map(({ name, version }) => ({ name, from: version, to: null })),
    ...extra.map(({ name, version }) => ({ name, from: null, to: version }))
  ];
  return (
    <section className="carrel-Solved" aria-label={trans.__('On this platform')} data-testid="carrel-solved">
      <h2 className="carrel-Details-title">{trans.__('On this platform')}</h2>
      <p role="status">
        <strong>
          {rows.length === 0
            ? trans._n('The package has the captured version.', 'All %1 packages have the captured version.', packages)
            : trans._n(
                '%2 of %1 package has the captured version.',
                '%2 of %1 packages have the captured version.',
                packages,
                same
              )}
        </strong>
      </p>
      {solved.problems.map(problem => (
        <Notice kind="warning" key={problem.code + problem.name + problem.message}>
          {problem.message}
        </Notice>
      ))}
      {rows.length > 0 && (
        <div className="carrel-Solved-scroll" tabIndex={0} role="group" aria-label={trans.__('What differs')}>
          <table className="carrel-Solved-table">
            <thead>
              <tr>
                <th scope="col">{trans.__('Package')}</th>
                <th scope="col">{trans.__('Captured on %1', solved.captured_on)}</th>
                <th scope="col">{trans.__('Here, on %1', solved.platform)}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(row => (
                <tr key={`${row.name} ${row.from} ${row.to}`} data-testid="carrel-solved-row" data-name={row.name}>
                  <th scope="row">{row.name}</th>
                  <td>{row.from ?? <span className="carrel-muted">{trans.__('not there')}</span>}</td>
                  <td>{row.to ?? <span className="carrel-muted">{trans.__('not there')}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p className="carrel-muted">
        {[
          trans.__('Solved as of %1', formatDate(solved.solved_as_of)),
          builds.length > 0 && trans._n('%1 in another build', '%1 in another build', builds.length),
          trans.__('%1 to download', formatBytes(solved.download_bytes))
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
    </section>
  );
}
