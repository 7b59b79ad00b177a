import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import { type ReactNode, useId, useState } from 'react';

interface ISectionProps {
  title: string;
  /** Short text after the title, such as a count. */
  note?: string;
  testid?: string;
  defaultOpen?: boolean;
  /** Buttons at the end of the heading. */
  actions?: ReactNode;
  /** Called when the section is opened for the first time and after. */
  onOpen?: () => void;
  children: ReactNode;
}

/** A part of the panel that can be folded away. */
export function Section(props: ISectionProps): JSX.Element {
  const [open, setOpen] = useState(props.defaultOpen ?? true);
  const id = useId();
  const Caret = open ? caretDownIcon : caretRightIcon;
  const toggle = () => {
    setOpen(!open);
    if (!open) {
      props.onOpen?.();
    }
  };
  return (
    <section className="carrel-Section" data-testid={props.testid} aria-labelledby={`${id}-title`}>
      <div className="carrel-Section-head">
        <h2 className="carrel-Section-title">
          <button
            type="button"
            id={`${id}-title`}
            className="carrel-Section-toggle"
            aria-expanded={open}
            aria-controls={id}
            onClick={toggle}
          >
            <Caret.react tag="span" className="carrel-Section-caret" aria-hidden="true" />
            <span className="carrel-Section-name">{props.title}</span>
            {props.note !== undefined && <span className="carrel-Section-note">{props.note}</span>}
          </button>
        </h2>
        {open && props.actions}
      </div>
      <div id={id} className="carrel-Section-body" hidden={!open}>
        {open && props.children}
      </div>
    </section>
  );
}
