import type { ReactNode } from 'react';
import { infoIcon, warningIcon } from '../icons';

/** A sentence that stands out: an icon and words, never colour alone. */
export function Notice(props: {
  kind: 'info' | 'warning' | 'error';
  children: ReactNode;
  testid?: string;
}): JSX.Element {
  const Icon = props.kind === 'info' ? infoIcon : warningIcon;
  return (
    <div
      className={`carrel-Notice carrel-mod-${props.kind}`}
      role={props.kind === 'error' ? 'alert' : 'status'}
      data-testid={props.testid}
    >
      <Icon.react tag="span" className="carrel-Notice-icon" aria-hidden="true" />
      <div className="carrel-Notice-text">{props.children}</div>
    </div>
  );
}
