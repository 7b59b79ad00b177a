import { tickIcon, warningIcon } from '../icons';
import type { IImport } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { blockReason } from './resultactions';
import { Section } from './Section';

/** What the notebook imports, and which of it is missing. */
export function ThisNotebook(): JSX.Element | null {
  const { imports, changes, environment, hub } = useCarrel();
  const trans = useTrans();
  useModel(imports);
  useModel(changes);
  const { items, missing } = imports;
  if (!imports.path || items.length === 0) {
    return null;
  }
  const reason = blockReason(environment.environment, hub.policy, trans);
  const enabled = reason === null && !changes.busy;
  const installable = missing.filter(item => item.package && item.source);
  const install = (wanted: readonly IImport[]) =>
    void changes.start({ add: wanted.map(item => ({ name: item.package!, source: item.source! })) });
  const present = items.filter(item => item.state === 'installed');
  return (
    <Section
      title={trans.__('This notebook')}
      note={missing.length ? trans._n('%1 missing', '%1 missing', missing.length) : trans.__('complete')}
      testid="carrel-this-notebook"
      actions={
        installable.length > 1 && (
          <Button
            testid="carrel-install-missing"
            aria-label={trans._n('Install %1 missing package', 'Install %1 missing packages', installable.length)}
            disabled={!enabled}
            title={reason ?? undefined}
            onClick={() => install(installable)}
          >
            {trans.__('Install all')}
          </Button>
        )
      }
    >
      <ul className="carrel-Imports" aria-label={trans.__('Imports')}>
        {missing.map(item => (
          <li key={item.module} className="carrel-Imports-missing" data-testid="carrel-import" data-name={item.module}>
            <warningIcon.react tag="span" className="carrel-warn" aria-hidden="true" />
            <span className="carrel-Imports-name">
              <code>{item.module}</code>
              <span className="carrel-muted">
                {item.package
                  ? item.package === item.module
                    ? trans.__('missing')
                    : trans.__('missing, in %1', item.package)
                  : trans.__('missing, no package known')}
              </span>
            </span>
            {item.package && item.source && (
              <Button
                disabled={!enabled}
                title={reason ?? undefined}
                aria-label={trans.__('Install %1', item.package)}
                onClick={() => install([item])}
              >
                {changes.concerns(item.package) ? trans.__('Working…') : trans.__('Install')}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {present.length > 0 && (
        <p className="carrel-Imports-present">
          <tickIcon.react tag="span" className="carrel-tick" aria-hidden="true" />
          <span>
            {present.map(item => (
              <code
                key={item.module}
                title={item.version ? `${item.package ?? item.module} ${item.version}` : undefined}
              >
                {item.module}
              </code>
            ))}
          </span>
        </p>
      )}
    </Section>
  );
}
