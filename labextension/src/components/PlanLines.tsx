import type { TranslationBundle } from '@jupyterlab/translation';
import { warningIcon } from '../icons';
import type { IPlannedPackage } from '../schemas';
import { useTrans } from './context';
import { channelName } from './format';
import { type ILine, riskLabel, riskReasons, risksOf } from './risks';

interface IPlanLinesProps {
  label: string;
  lines: readonly ILine[];
  sourceName: (id: string) => string;
}

/** Packages that come, change or go; those at risk with the reason in words. */
export function PlanLines({ label, lines, sourceName }: IPlanLinesProps): JSX.Element | null {
  const trans = useTrans();
  if (lines.length === 0) {
    return null;
  }
  return (
    <ul className="carrel-Lines" aria-label={label}>
      {lines.map(({ item, step }) => (
        <li
          key={`${step} ${item.source} ${item.name}`}
          className="carrel-Lines-item"
          data-testid="carrel-plan-line"
          data-name={item.name}
          data-risks={item.risks?.join(' ')}
        >
          <span className="carrel-Lines-sign" aria-hidden="true">
            {sign(item)}
          </span>
          <span className="carrel-visuallyHidden">{stepLabel(step, trans)}</span>
          <span className="carrel-Row-name" title={item.name}>
            {item.name}
          </span>
          <span className="carrel-Row-version">{versions(item)}</span>
          <span className="carrel-Lines-source" title={item.channel ?? undefined}>
            {item.channel ? channelName(item.channel) : sourceName(item.source)}
          </span>
          {risksOf(item).length > 0 ? (
            <Risks item={item} />
          ) : (
            item.reason && <span className="carrel-Lines-reason">{item.reason}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Risks({ item }: { item: IPlannedPackage }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="carrel-Lines-risks">
      <p className="carrel-Lines-badges">
        <warningIcon.react tag="span" className="carrel-warn" aria-hidden="true" />
        <span className="carrel-visuallyHidden">{trans.__('At risk:')}</span>
        {risksOf(item).map(code => (
          <span className="carrel-Badge carrel-mod-warning" key={code}>
            {riskLabel(code, trans)}
          </span>
        ))}
      </p>
      {riskReasons(item).map(reason => (
        <p className="carrel-Lines-reason" key={reason}>
          {reason}
        </p>
      ))}
    </div>
  );
}

/** `2.3 → 2.2`; builds where the version stays. */
function versions(item: IPlannedPackage): string {
  const { from_version: from, to_version: to, from_build: before, build } = item;
  if (from && to && from === to && before && build && before !== build) {
    return `${to} (${before} → ${build})`;
  }
  return from && to && from !== to ? `${from} → ${to}` : (to ?? from ?? '');
}

function sign(item: IPlannedPackage): string {
  if (item.from_version === null) {
    return '+';
  }
  if (item.to_version === null) {
    return '−';
  }
  // Only the server knows which of two versions is the newer one; it says so in plans.
  if (item.risks === undefined || item.from_version === item.to_version) {
    return '↕';
  }
  return item.risks.includes('downgrade') ? '↓' : '↑';
}

function stepLabel(step: ILine['step'], trans: TranslationBundle): string {
  return { removed: trans.__('Removed:'), changed: trans.__('Changed:'), added: trans.__('New:') }[step];
}
