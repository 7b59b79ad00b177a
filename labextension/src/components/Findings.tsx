import type { PublishModel } from '../models/publish';
import type { FindingDecision, IFinding } from '../schemas';
import { useModel, useTrans } from './context';
import { warningIcon } from '../icons';

/** Possible secrets, each with what is to be done about it. Values are masked; nothing has left the machine. */
export function Findings(props: { model: PublishModel; onOpenCell: (index: number) => void }): JSX.Element | null {
  const { model, onOpenCell } = props;
  const trans = useTrans();
  useModel(model);
  const findings = model.check?.findings ?? [];
  if (findings.length === 0) {
    return null;
  }
  return (
    <section className="carrel-Findings" aria-label={trans.__('Possible secrets')}>
      <h2 className="carrel-Findings-title">
        <warningIcon.react tag="span" className="carrel-warn" aria-hidden="true" />
        {trans._n('%1 possible secret found', '%1 possible secrets found', findings.length)}
      </h2>
      <p className="carrel-Field-hint">
        {trans.__('Your notebook is not changed, only the published copy. A key that was printed should be revoked.')}
      </p>
      <ul className="carrel-Findings-list">
        {findings.map(finding => (
          <li key={finding.id} className="carrel-Finding" data-testid="carrel-finding" data-kind={finding.kind}>
            <span className="carrel-Finding-what">
              <span className="carrel-Row-name">{finding.kind}</span>
              <code className="carrel-Finding-value">{finding.masked}</code>
              {finding.cell === null ? (
                <span className="carrel-muted">{place(finding, trans)}</span>
              ) : (
                <button type="button" className="carrel-Link" onClick={() => onOpenCell(finding.cell!)}>
                  {place(finding, trans)}
                </button>
              )}
            </span>
            <select
              className="carrel-Input"
              aria-label={trans.__('What to do with %1', finding.masked)}
              value={model.decision(finding)}
              onChange={event => model.decide(finding, event.target.value as FindingDecision)}
            >
              <option value="redact">{trans.__('Redact')}</option>
              {finding.where === 'output' && <option value="remove_output">{trans.__('Remove the output')}</option>}
              <option value="not_secret">{trans.__('Not a secret')}</option>
            </select>
          </li>
        ))}
      </ul>
    </section>
  );
}

function place(finding: IFinding, trans: ReturnType<typeof useTrans>): string {
  if (finding.file) {
    return finding.file;
  }
  const cell = (finding.cell ?? 0) + 1;
  switch (finding.where) {
    case 'source':
      return finding.line === null ? trans.__('cell %1', cell) : trans.__('cell %1, line %2', cell, finding.line);
    case 'output':
      return trans.__('output of cell %1', cell);
    case 'attachment':
      return trans.__('attachment of cell %1', cell);
    case 'environment':
      return trans.__('environment');
    default:
      return finding.cell === null ? trans.__('notebook metadata') : trans.__('metadata of cell %1', cell);
  }
}
