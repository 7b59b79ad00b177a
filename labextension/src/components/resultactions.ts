import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISearchItem } from '../schemas';
import { copyText } from './clipboard';
import { useCarrel, useModel } from './context';
import { openMenu } from './menu';

/** Id of the result list, which the search box controls. */
export const RESULTS_ID = 'carrel-results';

export function resultRowId(index: number): string {
  return `${RESULTS_ID}-${index}`;
}

/** What can be done with a search result. */
export interface IResultActions {
  /** False while something else is under way, or where installing is not allowed. */
  enabled: boolean;
  /** Why nothing can be installed; null when it can. */
  reason: string | null;
  /** True when the reason is that the environment is read-only, which stands above the results. */
  readOnly: boolean;
  install: (item: ISearchItem, version?: string, source?: string) => void;
  remove: (item: ISearchItem) => void;
  details: (item: ISearchItem) => void;
  sourceName: (id: string) => string;
}

export function useResultActions(): IResultActions {
  const { changes, environment, hub, search, trans } = useCarrel();
  useModel(changes);
  useModel(environment);
  useModel(hub);
  const reason = blockReason(environment.environment, hub.policy, trans);
  const enabled = !changes.busy && reason === null;
  return {
    enabled,
    reason,
    readOnly: hub.policy.allow_install && environment.environment?.writable === false,
    install: (item, version, source) => {
      if (enabled && item.state !== 'incompatible' && (item.state !== 'installed' || version)) {
        void changes.start({
          add: [{ name: item.name, source: source ?? item.source, ...(version ? { version } : {}) }]
        });
      }
    },
    remove: item => {
      if (enabled) {
        void changes.start({ remove: [item.name] });
      }
    },
    details: item => search.toggle(item),
    sourceName: id => hub.sourceName(id)
  };
}

/** Why an environment cannot be changed; null when it can. */
export function blockReason(
  environment: { writable: boolean; reason_read_only: string | null; kind: string } | null,
  policy: { allow_install: boolean; reason?: string | null },
  trans: TranslationBundle
): string | null {
  if (!policy.allow_install) {
    return policy.reason || trans.__('Installing packages is switched off on this server.');
  }
  if (!environment) {
    return trans.__('Choose an environment first.');
  }
  if (!environment.writable) {
    return environment.reason_read_only || trans.__('This environment is read-only.');
  }
  return null;
}

/** The menu of a result row. */
export function openResultMenu(
  item: ISearchItem,
  actions: IResultActions,
  trans: TranslationBundle,
  at: Element | { x: number; y: number }
): void {
  const installed = item.installed_version !== null;
  openMenu(
    [
      {
        label: installed ? trans.__('Change to %1', item.version) : trans.__('Install %1', item.version),
        disabled: !actions.enabled || item.state === 'incompatible' || item.state === 'installed',
        run: () => actions.install(item)
      },
      ...item.alternatives.map(other => ({
        label: trans.__('Install %1 from %2', other.version, actions.sourceName(other.source)),
        disabled: !actions.enabled,
        run: () => actions.install(item, other.version, other.source)
      })),
      { label: trans.__('Remove'), disabled: !actions.enabled || !installed, run: () => actions.remove(item) },
      null,
      { label: trans.__('Details'), run: () => actions.details(item) },
      { label: trans.__('Copy name'), run: () => copyText(item.name) }
    ],
    at
  );
}
