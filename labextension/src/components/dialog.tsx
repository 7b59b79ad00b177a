import { createRoot } from 'react-dom/client';
import type { ReactNode } from 'react';
import { CarrelProvider, type IEnvironmentOfComponents } from './context';

/**
 * Show a modal sheet; resolves when it is closed.
 *
 * The browser's own `<dialog>` keeps the keyboard inside, closes on Escape and gives the focus back.
 */
export function showSheet(
  provided: IEnvironmentOfComponents,
  label: string,
  render: (close: () => void) => ReactNode
): Promise<void> {
  const before = document.activeElement;
  const dialog = document.createElement('dialog');
  dialog.className = 'carrel-Dialog jp-ThemedContainer';
  dialog.setAttribute('aria-label', label);
  document.body.appendChild(dialog);
  const root = createRoot(dialog);
  const close = () => dialog.close();
  root.render(<CarrelProvider value={provided}>{render(close)}</CarrelProvider>);
  // Keys typed into the sheet are not shortcuts of the notebook below it.
  dialog.addEventListener('keydown', event => event.stopPropagation());
  return new Promise(resolve => {
    dialog.addEventListener(
      'close',
      () => {
        root.unmount();
        dialog.remove();
        if (before instanceof HTMLElement && before.isConnected) {
          before.focus();
        }
        resolve();
      },
      { once: true }
    );
    dialog.showModal();
  });
}

interface IFrameProps {
  title: ReactNode;
  testid: string;
  onSubmit?: () => void;
  /** True while the fields are disabled: the body takes the focus itself then, so that keys still scroll it. */
  busy?: boolean;
  footer: ReactNode;
  children: ReactNode;
}

/** Heading, scrolling body and a row of buttons. Enter in a field submits. */
export function SheetFrame(props: IFrameProps): JSX.Element {
  return (
    <form
      className="carrel-Frame"
      data-testid={props.testid}
      onSubmit={event => {
        event.preventDefault();
        props.onSubmit?.();
      }}
    >
      <h1 className="carrel-Frame-title">{props.title}</h1>
      <div className="carrel-Frame-body" tabIndex={props.busy ? 0 : undefined}>
        {props.children}
      </div>
      <div className="carrel-Frame-footer">{props.footer}</div>
    </form>
  );
}
