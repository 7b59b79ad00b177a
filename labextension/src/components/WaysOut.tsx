import { useEffect, useRef } from 'react';
import type { IWayOut } from '../schemas';
import { copyText } from './clipboard';
import { Button } from './Button';
import { useCarrel, useTrans } from './context';

/** What is possible instead of an impossible change; each button makes that plan. */
export function WaysOut({ ways }: { ways: readonly IWayOut[] }): JSX.Element {
  const { changes } = useCarrel();
  const trans = useTrans();
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  if (ways.length === 0) {
    return (
      <p className="carrel-Ways-none" data-testid="carrel-no-ways-out">
        {trans.__(
          'No way out was found. Ask for another version, take the package from another source, or use another environment.'
        )}
      </p>
    );
  }
  return (
    <section className="carrel-Ways" aria-label={trans.__('What is possible instead')}>
      <h3 className="carrel-Lines-title">{trans.__('What is possible instead')}</h3>
      <p className="carrel-muted">
        {trans.__('Each of these was tried. You see its plan before anything is changed.')}
      </p>
      <ul className="carrel-Ways-list">
        {ways.map((way, index) => (
          <li key={way.id ?? way.text}>
            {way.id ? (
              <button
                type="button"
                ref={index === 0 ? first : undefined}
                className="carrel-Button carrel-mod-normal carrel-Way"
                data-testid="carrel-way-out"
                onClick={() => void changes.take(way)}
              >
                {sentence(way.text)}
              </button>
            ) : (
              <NewEnvironment way={way} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A way that leads out of this environment: made in a terminal. */
function NewEnvironment({ way }: { way: IWayOut }): JSX.Element {
  const trans = useTrans();
  return (
    <div className="carrel-Way-elsewhere" data-testid="carrel-way-out-elsewhere">
      <span>{sentence(way.text)}</span>
      {way.command && (
        <Button
          look="quiet"
          title={way.command}
          aria-label={trans.__('Copy the command: %1', way.text)}
          onClick={() => copyText(way.command!)}
        >
          {trans.__('Copy command')}
        </Button>
      )}
    </div>
  );
}

/** With a capital letter, as it stands alone. */
export function sentence(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
