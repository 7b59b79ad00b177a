import { useEffect, useId, useRef } from 'react';
import type { IPlan } from '../schemas';
import { copyText } from './clipboard';
import { Button } from './Button';
import { useCarrel, useTrans } from './context';
import { formatBytes } from './format';
import { Notice } from './Notice';
import { OtherEnvironment } from './OtherEnvironment';
import { PlanLines } from './PlanLines';
import { riskSummary, sortLines } from './risks';

/** A plan to look at before it is applied: what is at risk first. */
export function PlanReview({ plan }: { plan: IPlan }): JSX.Element {
  const { changes, hub } = useCarrel();
  const trans = useTrans();
  const apply = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => apply.current?.focus(), []);
  const { added, changed, removed } = plan;
  const empty = added.length + changed.length + removed.length === 0;
  const { risky, other } = sortLines(plan);
  const summary = riskSummary(plan, trans);
  const titled = risky.length > 0 && other.length > 0;
  const sourceName = (source: string) => hub.sourceName(source);
  return (
    <div
      className="carrel-Sheet"
      role="group"
      aria-label={trans.__('Changes to review')}
      data-testid="carrel-transaction"
      data-state="review"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          changes.dismiss();
        }
      }}
    >
      <div className="carrel-Sheet-head">
        <strong>{empty ? trans.__('Nothing to change') : trans.__('Review the changes')}</strong>
        <span className="carrel-Counts">
          <Count sign="+" count={added.length} text={trans._n('%1 new', '%1 new', added.length)} />
          <Count sign="↕" count={changed.length} text={trans._n('%1 changed', '%1 changed', changed.length)} />
          <Count sign="−" count={removed.length} text={trans._n('%1 removed', '%1 removed', removed.length)} />
        </span>
      </div>
      <OtherEnvironment />
      <p className="carrel-Sheet-sizes">
        {trans.__('%1 to download, about %2 on disk', formatBytes(plan.download_bytes), formatBytes(plan.disk_bytes))}
      </p>
      {plan.reasons.length > 0 && (
        <ul className="carrel-Sheet-reasons">
          {plan.reasons.map(reason => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      {plan.warnings.map(warning => (
        <Notice kind="warning" key={warning.code + warning.message}>
          {warning.message}
        </Notice>
      ))}
      {summary && (
        <Notice kind="warning" testid="carrel-risks">
          <span id={`${id}-risks`}>
            <strong>{summary.head}</strong>
            {summary.kinds && `: ${summary.kinds}`}
          </span>
        </Notice>
      )}
      {!empty && (
        <div className="carrel-Sheet-lines" tabIndex={0} role="group" aria-label={trans.__('Packages')}>
          {titled && <h3 className="carrel-Lines-title">{trans.__('At risk')}</h3>}
          <PlanLines label={trans.__('At risk')} lines={risky} sourceName={sourceName} />
          {titled && <h3 className="carrel-Lines-title">{trans.__('The rest')}</h3>}
          <PlanLines
            label={titled ? trans.__('The rest') : trans.__('Packages')}
            lines={other}
            sourceName={sourceName}
          />
        </div>
      )}
      <div className="carrel-Sheet-buttons">
        <button
          type="button"
          ref={apply}
          className="carrel-Button carrel-mod-primary"
          data-testid="carrel-apply"
          aria-describedby={summary ? `${id}-risks` : undefined}
          disabled={empty}
          onClick={() => void changes.apply()}
        >
          {trans.__('Apply')}
        </button>
        <Button testid="carrel-cancel" onClick={() => changes.dismiss()}>
          {trans.__('Cancel')}
        </Button>
        {plan.command && (
          <Button look="quiet" onClick={() => copyText(plan.command)}>
            {trans.__('Copy command')}
          </Button>
        )}
      </div>
    </div>
  );
}

function Count({ sign, count, text }: { sign: string; count: number; text: string }): JSX.Element | null {
  return count > 0 ? (
    <span title={text}>
      <span aria-hidden="true">
        {sign}
        {count}
      </span>
      <span className="carrel-visuallyHidden">{text}</span>
    </span>
  ) : null;
}
