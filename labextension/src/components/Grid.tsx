import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react';

interface IGridProps<T> {
  label: string;
  items: readonly T[];
  itemKey: (item: T) => string;
  render: (item: T, focused: boolean) => ReactNode;
  rowProps?: (item: T) => Record<string, unknown>;
  /** Called for a key the grid itself does not use; return true when handled. */
  onKey?: (event: KeyboardEvent<HTMLElement>, item: T, row: HTMLElement) => boolean;
  /** Right click, Shift+F10 and the menu key. */
  onMenu?: (item: T, at: HTMLElement | { x: number; y: number }) => void;
}

/** Rows that are one tab stop together: arrow keys, Home and End move among them. */
export function Grid<T>(props: IGridProps<T>): JSX.Element {
  const [current, setCurrent] = useState<string | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const keys = props.items.map(props.itemKey);
  const active = Math.max(0, current === null ? 0 : keys.indexOf(current));

  const move = (index: number) => {
    const next = Math.max(0, Math.min(index, keys.length - 1));
    setCurrent(keys[next]);
    const row = root.current?.children[next] as HTMLElement | undefined;
    row?.focus();
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>, item: T, index: number) => {
    const row = event.currentTarget;
    const moves: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: keys.length - 1 };
    if (event.target === row && event.key in moves && !event.altKey && !event.ctrlKey) {
      move(moves[event.key]);
    } else if (props.onMenu && (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey))) {
      props.onMenu(item, row);
    } else if (event.key === 'Escape' && event.target !== row) {
      row.focus();
    } else if (event.target !== row || !props.onKey?.(event, item, row)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="carrel-Grid" role="treegrid" aria-label={props.label} ref={root}>
      {props.items.map((item, index) => (
        <div
          key={keys[index]}
          role="row"
          className="carrel-Row"
          tabIndex={index === active ? 0 : -1}
          onFocus={() => setCurrent(keys[index])}
          onKeyDown={event => onKeyDown(event, item, index)}
          onContextMenu={event => {
            if (props.onMenu) {
              event.preventDefault();
              event.stopPropagation();
              props.onMenu(item, { x: event.clientX, y: event.clientY });
            }
          }}
          {...props.rowProps?.(item)}
        >
          <div role="gridcell" className="carrel-Row-cell">
            {props.render(item, index === active)}
          </div>
        </div>
      ))}
    </div>
  );
}
