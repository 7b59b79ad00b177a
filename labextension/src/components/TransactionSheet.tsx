import { useEffect, useRef } from 'react';
import { useCarrel, useModel, useTrans } from './context';
import { Button } from './Button';
import { channelName, formatBytes } from './format';
import type { IPlan, IPlannedPackage } from '../schemas';
import type { IChange } from '../models/changes';
import { Notice } from './Notice';
import { Progress } from './Progress';

/** The change under way: its plan when it is worth a look, its progress, its end. */
export function TransactionSheet(): JSX.Element | null {
  const { changes, jobs, packages } = useCarrel();
  const trans = useTrans();
  useModel(changes);
  useModel(jobs);
  const job = changes.jobId ? jobs.get(changes.jobId) : undefined;
  switch (changes.state) {
    case 'planning':
    case 'applying':
      return (
        <div className="carrel-Sheet" data-testid="carrel-transaction" data-state={changes.state}>
          <div className="carrel-Sheet-head">
            <strong>{title(changes.change, name => packages.find(name) !== undefined, trans)}</strong>
          </div>
          <div className="carrel-Sheet-progress">
            <Progress job={job} />
            <Button testid="carrel-cancel" onClick={() => void changes.cancel()}>
              {trans.__('Cancel')}
            </Button>
          </div>
        </div>
      );
    case 'review':
      return changes.plan && <PlanReview plan={changes.plan} />;
    case 'failed':
      return (
        <div className="carrel-Sheet" data-testid="carrel-transaction" data-state="failed">
          <Notice kind="error">
            <strong>{trans.__('Nothing was changed.')}</strong>
            <div className="carrel-Error">{changes.error}</div>
          </Notice>
          <div className="carrel-Sheet-buttons">
            <Button look="primary" onClick={() => void changes.start(changes.change)}>
              {trans.__('Try again')}
            </Button>
            <Button onClick={() => void navigator.clipboard.writeText(report(changes.error, job?.log))}>
              {trans.__('Copy report')}
            </Button>
            <Button testid="carrel-cancel" onClick={() => changes.dismiss()}>
              {trans.__('Close')}
            </Button>
          </div>
        </div>
      );
    default:
      return null;
  }
}

function PlanReview({ plan }: { plan: IPlan }): JSX.Element {
  const { changes, hub } = useCarrel();
  const trans = useTrans();
  const apply = useRef<HTMLButtonElement>(null);
  useEffect(() => apply.current?.focus(), []);
  const { added, changed, removed } = plan;
  const empty = added.length + changed.length + removed.length === 0;
  const groups = [
    [trans.__('Removed'), removed, '−'],
    [trans.__('Changed'), changed, '↕'],
    [trans.__('New'), added, '+']
  ] as const;
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
          {added.length > 0 && <span title={trans._n('%1 new', '%1 new', added.length)}>+{added.length}</span>}
          {changed.length > 0 && (
            <span title={trans._n('%1 changed', '%1 changed', changed.length)}>↕{changed.length}</span>
          )}
          {removed.length > 0 && (
            <span title={trans._n('%1 removed', '%1 removed', removed.length)}>−{removed.length}</span>
          )}
        </span>
      </div>
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
      <div className="carrel-Sheet-lines" tabIndex={0} role="group" aria-label={trans.__('Packages')}>
        {groups.map(([title, items, sign]) => (
          <Lines
            key={sign}
            title={title}
            items={items}
            sign={sign}
            told={plan.reasons}
            sourceName={id => hub.sourceName(id)}
          />
        ))}
      </div>
      <div className="carrel-Sheet-buttons">
        <button
          type="button"
          ref={apply}
          className="carrel-Button carrel-mod-primary"
          data-testid="carrel-apply"
          disabled={empty}
          onClick={() => void changes.apply()}
        >
          {trans.__('Apply')}
        </button>
        <Button testid="carrel-cancel" onClick={() => changes.dismiss()}>
          {trans.__('Cancel')}
        </Button>
        {plan.command && (
          <Button look="quiet" onClick={() => void navigator.clipboard.writeText(plan.command)}>
            {trans.__('Copy command')}
          </Button>
        )}
      </div>
    </div>
  );
}

interface ILinesProps {
  title: string;
  items: readonly IPlannedPackage[];
  sign: string;
  /** Reasons shown already above the lists. */
  told: readonly string[];
  sourceName: (id: string) => string;
}

function Lines({ title, items, sign, told, sourceName }: ILinesProps): JSX.Element | null {
  if (items.length === 0) {
    return null;
  }
  return (
    <ul className="carrel-Lines" aria-label={title}>
      {items.map(item => (
        <li key={item.name} className="carrel-Lines-item">
          <span className="carrel-Lines-sign" aria-hidden="true">
            {sign}
          </span>
          <span className="carrel-Row-name">{item.name}</span>
          <span className="carrel-Row-version">
            {item.from_version && item.to_version
              ? `${item.from_version} → ${item.to_version}`
              : (item.to_version ?? item.from_version)}
          </span>
          <span className="carrel-Lines-source" title={item.channel ?? undefined}>
            {item.channel ? channelName(item.channel) : sourceName(item.source)}
          </span>
          {item.reason && !told.some(text => text.includes(item.reason!)) && (
            <span className="carrel-Lines-reason">{item.reason}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function title(change: IChange, isInstalled: (name: string) => boolean, trans: ReturnType<typeof useTrans>): string {
  const { add = [], remove = [], update = [] } = change;
  const total = add.length + remove.length + update.length;
  if (total === 1 && add.length === 1) {
    return isInstalled(add[0].name) ? trans.__('Updating %1', add[0].name) : trans.__('Installing %1', add[0].name);
  }
  if (total === 1 && remove.length === 1) {
    return trans.__('Removing %1', remove[0]);
  }
  if (total === 1) {
    return trans.__('Updating %1', update[0]);
  }
  return total === 0 ? trans.__('Restoring packages') : trans._n('Changing %1 package', 'Changing %1 packages', total);
}

function report(error: string | null, log: readonly string[] = []): string {
  return [error ?? '', ...log].join('\n');
}
