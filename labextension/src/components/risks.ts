import type { TranslationBundle } from '@jupyterlab/translation';
import type { IPlan, IPlannedPackage } from '../schemas';

/** Risks as the server names them, the gravest first. */
const GRAVITY = [
  'removes_requested',
  'abi',
  'pinned',
  'downgrade',
  'changes_requested',
  'loaded',
  'source',
  'removal'
] as const;

type Risk = (typeof GRAVITY)[number];

/** What happens to a package. */
export type Step = 'added' | 'changed' | 'removed';

/** One line of a plan and what happens in it. */
export interface ILine {
  item: IPlannedPackage;
  step: Step;
}

/** The lines at risk, the gravest first, and the others: removed, changed, new. */
export function sortLines(plan: Pick<IPlan, Step>): { risky: ILine[]; other: ILine[] } {
  const all = (['removed', 'changed', 'added'] as const).flatMap(step => plan[step].map(item => ({ item, step })));
  const risky = all.filter(line => risksOf(line.item).length > 0);
  risky.sort((a, b) => gravity(a.item) - gravity(b.item));
  return { risky, other: all.filter(line => risksOf(line.item).length === 0) };
}

/** The risks of a line, the gravest first. A code of a newer server is kept, at the end. */
export function risksOf(item: IPlannedPackage): string[] {
  return [...(item.risks ?? [])].sort((a, b) => rank(a) - rank(b));
}

/** A few words for a risk. */
export function riskLabel(code: string, trans: TranslationBundle): string {
  const labels: Record<Risk, string> = {
    removes_requested: trans.__('Removed, though you asked for it'),
    abi: trans.__('Other binary interface'),
    pinned: trans.__('Pinned'),
    downgrade: trans.__('Older version'),
    changes_requested: trans.__('You asked for it once'),
    loaded: trans.__('Loaded in the kernel'),
    source: trans.__('Other source'),
    removal: trans.__('Removed')
  };
  return labels[code as Risk] ?? code;
}

/** All risks of a plan in one line, such as `2 of 5 packages at risk: 1 older version, 1 pinned`. */
export function riskSummary(plan: IPlan, trans: TranslationBundle): { head: string; kinds: string } | null {
  const { risky, other } = sortLines(plan);
  if (risky.length === 0) {
    return null;
  }
  const total = risky.length + other.length;
  const kinds = GRAVITY.map(code => {
    const count = risky.filter(line => line.item.risks?.includes(code)).length;
    return count > 0 ? countLabel(code, count, trans) : null;
  }).filter(text => text !== null);
  return {
    head: trans._n('%2 of %1 package at risk', '%2 of %1 packages at risk', total, risky.length),
    kinds: kinds.join(', ')
  };
}

/**
 * Why a line is at risk, in sentences.
 *
 * Versions stand in the line already, so that for an older or changed one only the cause is said.
 */
export function riskReasons(item: IPlannedPackage): string[] {
  const codes = item.risks ?? [];
  const sentences = codes.flatMap((code, index) => (BY_CAUSE.has(code) ? [] : [item.explanations?.[index] ?? '']));
  const cause = item.reason && item.reason !== 'requested' ? item.reason : '';
  return [cause, ...sentences].filter(Boolean);
}

const BY_CAUSE = new Set(['downgrade', 'removal', 'removes_requested', 'changes_requested']);

function countLabel(code: Risk, count: number, trans: TranslationBundle): string {
  switch (code) {
    case 'removes_requested':
      return trans._n('%1 removed that you asked for', '%1 removed that you asked for', count);
    case 'abi':
      return trans._n('%1 with another binary interface', '%1 with another binary interface', count);
    case 'pinned':
      return trans._n('%1 pinned', '%1 pinned', count);
    case 'downgrade':
      return trans._n('%1 older version', '%1 older versions', count);
    case 'changes_requested':
      return trans._n('%1 that you asked for', '%1 that you asked for', count);
    case 'loaded':
      return trans._n('%1 loaded in the kernel', '%1 loaded in the kernel', count);
    case 'source':
      return trans._n('%1 from another source', '%1 from another source', count);
    case 'removal':
      return trans._n('%1 removed', '%1 removed', count);
  }
}

function rank(code: string): number {
  const at = (GRAVITY as readonly string[]).indexOf(code);
  return at < 0 ? GRAVITY.length : at;
}

function gravity(item: IPlannedPackage): number {
  return Math.min(...(item.risks ?? []).map(rank));
}
