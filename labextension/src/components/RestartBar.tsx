import { closeIcon, refreshIcon } from '@jupyterlab/ui-components';
import { useEffect } from 'react';
import { tickIcon } from '../icons';
import { Button, IconButton } from './Button';
import { useCarrel, useCommands, useModel, useTrans } from './context';

/** Time the "no restart needed" line stays, in milliseconds. */
const READY_TIME = 8000;

/** One quiet line after a change: whether the kernel has to be restarted. Never restarts by itself. */
export function RestartBar(): JSX.Element | null {
  const { changes, environment } = useCarrel();
  const commands = useCommands();
  const trans = useTrans();
  useModel(changes);
  useModel(environment);
  const ready = changes.restart === 'none' && changes.state === 'done';
  useEffect(() => {
    if (ready) {
      const timer = window.setTimeout(() => changes.dismiss(), READY_TIME);
      return () => window.clearTimeout(timer);
    }
  }, [ready, changes]);

  if (changes.restart === 'needed') {
    const names = changes.loaded;
    return (
      <div className="carrel-Bar carrel-mod-restart" role="status" data-testid="carrel-restart-bar">
        <refreshIcon.react tag="span" className="carrel-Bar-icon" aria-hidden="true" />
        <span className="carrel-Bar-text">
          {trans._n(
            '%2 is loaded in the kernel and was changed.',
            '%2 are loaded in the kernel and were changed.',
            names.length,
            new Intl.ListFormat(document.documentElement.lang || undefined).format(names.slice(0, 4))
          )}
        </span>
        <IconButton
          icon={closeIcon}
          label={trans.__('Later')}
          testid="carrel-restart-later"
          onClick={() => changes.later()}
        />
        <span className="carrel-Bar-buttons">
          <Button
            look="primary"
            testid="carrel-restart"
            onClick={() => void environment.sessionContext?.restartKernel()}
          >
            {trans.__('Restart')}
          </Button>
          {commands.hasCommand('notebook:restart-and-run-to-selected') && (
            <Button onClick={() => void commands.execute('notebook:restart-and-run-to-selected')}>
              {trans.__('Restart and run above')}
            </Button>
          )}
        </span>
      </div>
    );
  }
  if (changes.restart === 'unknown') {
    return (
      <div className="carrel-Bar" role="status" data-testid="carrel-restart-unknown">
        <span className="carrel-Bar-text">
          {trans.__('The kernel is busy: whether it needs a restart is checked when it is idle.')}
        </span>
      </div>
    );
  }
  if (ready) {
    return (
      <div className="carrel-Bar carrel-mod-ready" role="status" data-testid="carrel-ready">
        <tickIcon.react tag="span" className="carrel-tick" aria-hidden="true" />
        <span className="carrel-Bar-text">
          {environment.kernel ? trans.__('Done. No restart needed.') : trans.__('Done.')}
        </span>
      </div>
    );
  }
  return null;
}
