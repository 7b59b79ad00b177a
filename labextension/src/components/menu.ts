import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

/** One entry of a popup menu; null draws a line. */
export type MenuEntry = { label: string; run: () => void; disabled?: boolean; checked?: boolean } | null;

/** Open a menu under an element, or at a point; the focus returns where it was when the menu closes. */
export function openMenu(entries: readonly MenuEntry[], at: Element | { x: number; y: number }): Menu {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.addClass('carrel-Menu');
  entries.forEach((entry, index) => {
    if (entry === null) {
      menu.addItem({ type: 'separator' });
      return;
    }
    const command = `entry:${index}`;
    const { label, run, disabled, checked } = entry;
    commands.addCommand(command, {
      label,
      isEnabled: () => !disabled,
      isToggled: () => !!checked,
      isToggleable: checked !== undefined,
      execute: run,
      describedBy: { args: null }
    });
    menu.addItem({ command });
  });
  const before = document.activeElement;
  menu.aboutToClose.connect(() => {
    if (before instanceof HTMLElement && before.isConnected) {
      before.focus();
    }
  });
  const point = at instanceof Element ? below(at) : at;
  menu.open(point.x, point.y);
  menu.activateNextItem();
  return menu;
}

function below(element: Element): { x: number; y: number } {
  const box = element.getBoundingClientRect();
  return { x: box.left, y: box.bottom };
}
