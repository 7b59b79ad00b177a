import { useEffect, useState } from 'react';
import { parseReference, ReproduceModel } from '../models/reproduce';
import type { IReproduced } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { SheetFrame } from './dialog';
import { formatAgo } from './format';
import { Notice } from './Notice';
import { ReviewSheet } from './ReviewSheet';

interface IOpenSheetProps {
  /** Known already, as from a link: the review is shown at once. */
  reference?: string;
  directory: string;
  onClose: () => void;
  onDone: (result: IReproduced) => void;
}

/** Choose something on the hub by name, link or search, then review it. */
export function OpenSheet({ reference, directory, onClose, onDone }: IOpenSheetProps): JSX.Element {
  const { api, jobs } = useCarrel();
  const [model, setModel] = useState<ReproduceModel | null>(null);
  const show = (wanted: string) => {
    const next = new ReproduceModel(api, jobs, wanted, directory);
    setModel(next);
    void next.load();
  };
  useEffect(() => {
    if (reference) {
      show(reference);
    }
    // Once, for the reference the sheet was opened with.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  useEffect(() => () => model?.dispose(), [model]);
  if (model) {
    return (
      <ReviewSheet
        model={model}
        onClose={onClose}
        onDone={onDone}
        onBack={reference ? undefined : () => setModel(null)}
      />
    );
  }
  return reference ? <></> : <Chooser onClose={onClose} onChoose={show} />;
}

function Chooser(props: { onClose: () => void; onChoose: (reference: string) => void }): JSX.Element {
  const { hub } = useCarrel();
  const trans = useTrans();
  useModel(hub);
  const [text, setText] = useState('');
  useEffect(() => {
    hub.sharedQuery = '';
  }, [hub]);
  const typed = parseReference(text);
  const choose = () => {
    if (typed) {
      props.onChoose(typed);
    } else if (hub.shared.length === 1) {
      props.onChoose(`${hub.shared[0].namespace}/${hub.shared[0].name}`);
    }
  };
  return (
    <SheetFrame
      testid="carrel-open-sheet"
      title={trans.__('Open from hub')}
      onSubmit={choose}
      footer={
        <>
          <Button onClick={props.onClose}>{trans.__('Cancel')}</Button>
          <button
            type="submit"
            className="carrel-Button carrel-mod-primary"
            disabled={!typed && hub.shared.length !== 1}
          >
            {trans.__('Review')}
          </button>
        </>
      }
    >
      <label className="carrel-Field carrel-mod-stacked">
        <span className="carrel-Field-label">{trans.__('Name, link or words to search for')}</span>
        <input
          type="text"
          autoFocus
          className="carrel-Input"
          data-testid="carrel-open-input"
          placeholder={trans.__('owner/name')}
          value={text}
          onChange={event => {
            setText(event.target.value);
            hub.sharedQuery = parseReference(event.target.value)
              ? event.target.value.split(/[/@]/)[1]
              : event.target.value;
          }}
        />
      </label>
      {hub.sharedError && <Notice kind="warning">{hub.sharedError}</Notice>}
      <ul className="carrel-Choices" aria-label={trans.__('Found on the hub')}>
        {hub.shared.map(item => (
          <li key={`${item.namespace}/${item.name}`}>
            <button
              type="button"
              className="carrel-Choice"
              data-testid="carrel-open-choice"
              data-name={`${item.namespace}/${item.name}`}
              onClick={() => props.onChoose(`${item.namespace}/${item.name}`)}
            >
              <span className="carrel-Row-name">
                {item.namespace}/{item.name}
              </span>
              <span className="carrel-Row-summary">{item.summary}</span>
              {item.updated_at && <span className="carrel-muted">{formatAgo(item.updated_at)}</span>}
            </button>
          </li>
        ))}
      </ul>
      {!hub.sharedLoading && hub.shared.length === 0 && !hub.sharedError && (
        <p className="carrel-Empty">{trans.__('Nothing matches.')}</p>
      )}
    </SheetFrame>
  );
}
