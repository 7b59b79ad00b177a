import { CommandRegistry } from '@lumino/commands';
import { render } from '@testing-library/react';
import axe from 'axe-core';
import { CarrelProvider } from '../components/context';
import type { ICarrel } from '../tokens';

/** Draw a component with everything it can reach. */
export function show(all: ICarrel, node: JSX.Element): void {
  render(<CarrelProvider value={{ carrel: all, commands: new CommandRegistry() }}>{node}</CarrelProvider>);
}

/** What is drawn, looked through for violations of accessibility rules. */
export async function violations(): Promise<string[]> {
  const found = await axe.run(document.body, {
    // Colours and sizes need a real browser; the page around the panel is JupyterLab's.
    rules: {
      'color-contrast': { enabled: false },
      region: { enabled: false },
      'page-has-heading-one': { enabled: false }
    }
  });
  return found.violations.map(item => `${item.id}: ${item.nodes.map(node => node.html).join(' ')}`);
}
