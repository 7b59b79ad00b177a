import { useEffect, useRef } from 'react';
import type { HistoryModel, Return } from '../models/history';
import type { IRevision } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { SheetFrame } from './dialog';
import { formatAgo, formatMoment } from './format';
import { Notice } from './Notice';
import { PlanLines } from './PlanLines';
import { sortLines } from './risks';

interface IHistorySheetProps {
  model: HistoryModel;
  onClose: () => void;
  onRestore: (revision: IRevision) => void;
}

/** The earlier states of an environment: one is chosen, seen for what it would change, and brought back. */
export function HistorySheet({ model, onClose, onRestore }: IHistorySheetProps): JSX.Element {
  const trans = useTrans();
  useModel(model);
  const { revisions, chosen, error } = model;
  const first = useRef<HTMLInputElement>(null);
  const known = revisions !== null;
  useEffect(() => first.current?.focus(), [known]);
  const earlier = revisions?.slice(1) ?? [];
  return (
    <SheetFrame
      testid="carrel-history-sheet"
      title={trans.__('Earlier states of %1', model.environment.name)}
      onSubmit={() => chosen && onRestore(chosen)}
      footer={
        <>
          <Button testid="carrel-history-cancel" onClick={onClose}>
            {trans.__('Cancel')}
          </Button>
          <button
            type="submit"
            className="carrel-Button carrel-mod-primary"
            data-testid="carrel-history-restore"
            disabled={!chosen}
          >
            {trans.__('Go back')}
          </button>
        </>
      }
    >
      {error && (
        <Notice kind="error">
          {error}{' '}
          <button type="button" className="carrel-Link" onClick={() => void model.load()}>
            {trans.__('Retry')}
          </button>
        </Notice>
      )}
      {!known && !error && (
        <p className="carrel-muted" role="status">
          {trans.__('Reading the earlier states…')}
        </p>
      )}
      {known && earlier.length === 0 && (
        <p role="status" data-testid="carrel-history-empty">
          {trans.__('Nothing was changed yet: there is no earlier state to go back to.')}
        </p>
      )}
      {earlier.length > 0 && (
        <>
          <fieldset className="carrel-Revisions">
            <legend className="carrel-Field-hint">{trans.__('Bring back the packages as they were after:')}</legend>
            {earlier.map((revision, index) => (
              <label key={revision.number} className="carrel-Revision" data-testid="carrel-revision">
                <input
                  ref={index === 0 ? first : undefined}
                  type="radio"
                  name="carrel-revision"
                  value={revision.number}
                  checked={chosen?.number === revision.number}
                  onChange={() => void model.choose(revision)}
                />
                <span className="carrel-Revision-text">
                  <span className="carrel-Revision-summary">{revision.summary}</span>
                  <RevisionFacts revision={revision} />
                </span>
              </label>
            ))}
          </fieldset>
          {chosen && <Effect model={model} />}
        </>
      )}
    </SheetFrame>
  );
}

/** Number, moment, who and how much. */
function RevisionFacts({ revision }: { revision: IRevision }): JSX.Element {
  const trans = useTrans();
  const facts = [
    trans.__('No. %1', revision.number),
    formatAgo(revision.created_at),
    revision.user && trans.__('%1 with %2', revision.user, revision.program),
    trans._n('%1 package', '%1 packages', revision.package_count)
  ];
  return (
    <span className="carrel-muted" title={formatMoment(revision.created_at)}>
      {facts.filter(Boolean).join(' · ')}
    </span>
  );
}

function Effect({ model }: { model: HistoryModel }): JSX.Element {
  const { hub } = useCarrel();
  const trans = useTrans();
  const { effect, effectError } = model;
  return (
    <section className="carrel-Effect" aria-label={trans.__('What going back does')} aria-live="polite">
      <h2 className="carrel-Details-title">{trans.__('What going back does')}</h2>
      {effectError && <Notice kind="warning">{effectError}</Notice>}
      {!effect && !effectError && <p className="carrel-muted">{trans.__('Comparing…')}</p>}
      {effect && count(effect) === 0 && <p>{trans.__('Nothing: the packages are the same now.')}</p>}
      {effect && count(effect) > 0 && (
        <div className="carrel-Sheet-lines" tabIndex={0} role="group" aria-label={trans.__('Packages')}>
          <PlanLines
            label={trans.__('Packages')}
            lines={sortLines(effect).other}
            sourceName={source => (source === 'pypi' ? trans.__('pip') : hub.sourceName(source))}
          />
        </div>
      )}
      <p className="carrel-muted">{trans.__('Going back is a change like any other: it can be undone too.')}</p>
    </section>
  );
}

function count(effect: Return): number {
  return effect.added.length + effect.changed.length + effect.removed.length;
}
