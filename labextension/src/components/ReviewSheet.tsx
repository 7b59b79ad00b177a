import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import type { ReproduceModel } from '../models/reproduce';
import type { IReproduced, IReview } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { SheetFrame } from './dialog';
import { channelName, formatAgo, formatBytes } from './format';
import { Notice } from './Notice';
import { Progress } from './Progress';
import { SolvedReview } from './SolvedReview';
import { visibilityLabel } from './Shared';

/** Codes of warnings the sheet says in its own place. */
const SAID = new Set(['no_environment', 'platform_mismatch']);

interface IReviewSheetProps {
  model: ReproduceModel;
  onClose: () => void;
  onDone: (result: IReproduced) => void;
  onBack?: () => void;
}

/** What somebody shared, before anything of it is installed or run. */
export function ReviewSheet({ model, onClose, onDone, onBack }: IReviewSheetProps): JSX.Element {
  const { jobs } = useCarrel();
  const trans = useTrans();
  useModel(model);
  useModel(jobs);
  const submit = useRef<HTMLButtonElement>(null);
  const trust = useRef<HTMLInputElement>(null);
  const { review, state } = model;
  const busy = model.working;
  const mustSolve = model.needsSolve && !model.solved;
  useEffect(() => {
    if (state === 'ready') {
      (trust.current?.checked === false ? trust.current : submit.current)?.focus();
    }
  }, [state]);
  const go = async () => {
    if (mustSolve) {
      await model.solve();
      return;
    }
    const result = await model.reproduce();
    if (result) {
      onDone(result);
    }
  };
  const built = review?.environment?.already_built;
  return (
    <SheetFrame
      testid="carrel-review-sheet"
      busy={busy}
      title={review ? (review.title ?? review.name) : model.reference}
      onSubmit={() => void go()}
      footer={
        <>
          {busy && <Progress job={model.jobId ? jobs.get(model.jobId) : undefined} />}
          {onBack && !busy && (
            <Button look="quiet" onClick={onBack}>
              {trans.__('Back')}
            </Button>
          )}
          <Button testid="carrel-review-cancel" onClick={() => (busy ? void model.cancel() : onClose())}>
            {trans.__('Cancel')}
          </Button>
          <button
            ref={submit}
            type="submit"
            className="carrel-Button carrel-mod-primary"
            data-testid={mustSolve ? 'carrel-solve' : 'carrel-reproduce-submit'}
            disabled={!review || busy || (model.needsTrust && !model.trusted)}
          >
            {mustSolve
              ? trans.__('Solve for this platform')
              : model.needsSolve
                ? trans.__('Build and open')
                : built
                  ? trans.__('Open')
                  : trans.__('Recreate and open')}
          </button>
        </>
      }
    >
      {model.error && <Notice kind="error">{model.error}</Notice>}
      {state === 'reading' && (
        <p className="carrel-muted" role="status">
          {trans.__('Reading from the hub…')}
        </p>
      )}
      {review && (
        <fieldset className="carrel-Form" disabled={busy}>
          <Origin review={review} />
          {review.warnings
            .filter(warning => !SAID.has(warning.code))
            .map(warning => (
              <Notice kind="warning" key={warning.code + warning.message}>
                {warning.message}
              </Notice>
            ))}
          <EnvironmentReview review={review} model={model} trust={trust} />
          {model.solved && <SolvedReview solved={model.solved} />}
          {review.preview_html && <Preview html={review.preview_html} />}
        </fieldset>
      )}
    </SheetFrame>
  );
}

function Origin({ review }: { review: IReview }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="carrel-Origin">
      <p className="carrel-Origin-line">
        <span className="carrel-Row-name">
          {review.namespace}/{review.name}
        </span>
        <span className="carrel-Row-version">{trans.__('v%1', review.version)}</span>
        <span className="carrel-Badge">{visibilityLabel(review.visibility, trans)}</span>
      </p>
      <p className="carrel-muted">
        {[
          review.published_by && trans.__('published by %1', review.published_by),
          review.published_at && formatAgo(review.published_at),
          review.notebook && trans._n('%1 cell', '%1 cells', review.notebook.cells),
          review.notebook && formatBytes(review.notebook.size)
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
      {review.message && <p className="carrel-Origin-message">{review.message}</p>}
    </div>
  );
}

function EnvironmentReview({
  review,
  model,
  trust
}: {
  review: IReview;
  model: ReproduceModel;
  trust: RefObject<HTMLInputElement>;
}): JSX.Element {
  const trans = useTrans();
  const environment = review.environment;
  if (!environment) {
    return (
      <Notice kind="info">{trans.__('Published without an environment: it opens with the kernel you choose.')}</Notice>
    );
  }
  const facts = [
    environment.kind,
    environment.python_version && trans.__('Python %1', environment.python_version),
    trans._n('%1 package', '%1 packages', environment.package_count),
    environment.platform
  ];
  return (
    <section className="carrel-EnvironmentReview" aria-label={trans.__('Environment')}>
      <h2 className="carrel-Details-title">{trans.__('Environment')}</h2>
      <p>{facts.filter(Boolean).join(' · ')}</p>
      {environment.matches_platform ? (
        <p className="carrel-muted">
          {environment.already_built
            ? trans.__('Already built on this machine: opens at once.')
            : trans.__(
                '%1 to download. Exactly the packages of the lock file are installed, each checked by its digest.',
                formatBytes(environment.download_bytes)
              )}
        </p>
      ) : (
        <Notice kind="warning">
          {trans.__('Captured on %1, which is not the platform of this machine.', environment.platform)}{' '}
          {!model.solved &&
            trans.__(
              'It can be solved anew for this one, as of the day it was captured. What differs is shown before anything is built.'
            )}
        </Notice>
      )}
      {environment.new_channels.length > 0 && (
        <div className="carrel-Trust">
          <Notice kind="warning">
            {trans._n(
              'Packages come from a place this machine has not used before:',
              'Packages come from places this machine has not used before:',
              environment.new_channels.length
            )}
            <ul className="carrel-Trust-list">
              {environment.new_channels.map(channel => (
                <li key={channel}>
                  <code>{channel}</code>
                </li>
              ))}
            </ul>
          </Notice>
          <label className="carrel-Check">
            <input
              ref={trust}
              type="checkbox"
              data-testid="carrel-trust"
              checked={model.trusted}
              onChange={event => (model.trusted = event.target.checked)}
            />
            <span>{trans._n('I trust this place', 'I trust these places', environment.new_channels.length)}</span>
          </label>
        </div>
      )}
      <details className="carrel-Details-more">
        <summary>{trans.__('All packages')}</summary>
        <ul className="carrel-PackageList" tabIndex={0} aria-label={trans.__('Packages')}>
          {environment.packages.map(item => (
            <li key={`${item.source} ${item.name}`}>
              <span>{item.name}</span>
              <span className="carrel-Row-version">{item.version}</span>
              <span className="carrel-muted">
                {item.source === 'pypi' ? trans.__('pip') : channelName(item.channel ?? '')}
              </span>
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}

/** The notebook as the server rendered it; a sandboxed frame, so nothing in it can run or reach the page. */
function Preview({ html }: { html: string }): JSX.Element {
  const trans = useTrans();
  const theme = useTheme();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the style follows the theme
  const themed = useMemo(() => themeStyle() + html, [html, theme]);
  return (
    <section aria-label={trans.__('Preview')}>
      <h2 className="carrel-Details-title">{trans.__('Preview')}</h2>
      <iframe
        className="carrel-Preview"
        title={trans.__('Preview of the notebook')}
        sandbox=""
        srcDoc={themed}
        tabIndex={0}
      />
    </section>
  );
}

/** Name of JupyterLab's theme, also after it was switched. */
function useTheme(): string | undefined {
  const [theme, setTheme] = useState(document.body.dataset.jpThemeName);
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(document.body.dataset.jpThemeName));
    observer.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    return () => observer.disconnect();
  }, []);
  return theme;
}

/** The theme's colours, which a sandboxed document cannot inherit. Colours the document sets itself win. */
function themeStyle(): string {
  const style = getComputedStyle(document.body);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return (
    `<style>:root{color-scheme:${document.body.dataset.jpThemeLight === 'false' ? 'dark' : 'light'}}` +
    `body{margin:12px;background:${value('--jp-layout-color0')};color:${value('--jp-ui-font-color1')};` +
    `font-family:${value('--jp-ui-font-family')};font-size:13px;line-height:1.5}` +
    `pre{overflow:auto}img{max-width:100%}h1{font-size:1.5em}</style>`
  );
}
