import { CommandRegistry } from '@lumino/commands';
import { fireEvent, render, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { CommandIDs } from '../commandids';
import { CarrelProvider } from '../components/context';
import { EnvironmentHeader } from '../components/EnvironmentHeader';
import { type MenuEntry, openMenu } from '../components/menu';
import { carrel, ENVIRONMENT, FakeServer } from './fakes';

vi.mock('../components/menu', () => ({ openMenu: vi.fn() }));

describe('the actions on an environment', () => {
  it.each([true, false])('offer earlier states when the command is enabled: %s', enabled => {
    const commands = new CommandRegistry();
    commands.addCommand(CommandIDs.restoreEnvironment, {
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => undefined,
      isEnabled: () => enabled
    });
    const all = carrel(new FakeServer());
    all.environment.choose(ENVIRONMENT);
    render(
      <CarrelProvider value={{ carrel: all, commands }}>
        <EnvironmentHeader />
      </CarrelProvider>
    );
    fireEvent.click(screen.getByTestId('carrel-environment-menu'));
    const [entries] = vi.mocked(openMenu).mock.lastCall as [MenuEntry[], Element];
    expect(entries.find(entry => entry?.label.startsWith('Earlier states'))?.disabled).toBe(!enabled);
  });
});
