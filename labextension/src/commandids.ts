/** Names of every command; part of the public interface (palette, shortcuts, other extensions). */
export const CommandIDs = {
  openPanel: 'carrel:packages',
  search: 'carrel:search-packages',
  install: 'carrel:install',
  refresh: 'carrel:refresh',
  togglePin: 'carrel:toggle-pin',
  exportEnvironment: 'carrel:export-environment',
  copyEnvironment: 'carrel:copy-environment',
  restoreEnvironment: 'carrel:restore-environment',
  publish: 'carrel:publish',
  publishAs: 'carrel:publish-as',
  openHub: 'carrel:open',
  openFromURL: 'carrel:open-from-url',
  signIn: 'carrel:sign-in',
  signOut: 'carrel:sign-out'
} as const;
