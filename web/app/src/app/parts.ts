// The screens that are loaded when they are first opened.

import { Part } from '../lib/part.svelte';

/** All that is shown to somebody who is signed in. */
export const inside = new Part(() => import('./inside'));

/** Signing out, and forgetting an account: needs nearly all of the app. */
export const leaving = new Part(() => import('./leaving'));

export const settings = new Part(async () => {
  const [list, screen] = await Promise.all([
    import('../settings/SettingsList.svelte'),
    import('../settings/SettingsScreen.svelte'),
  ]);
  return { List: list.default, Screen: screen.default };
});

export const people = new Part(async () => {
  const [list, screen] = await Promise.all([
    import('../people/PeopleList.svelte'),
    import('../people/PersonScreen.svelte'),
  ]);
  return { List: list.default, Screen: screen.default };
});

export const groupInfo = new Part(async () => (await import('../chat/GroupInfo.svelte')).default);
export const newGroup = new Part(async () => (await import('../chat/NewGroup.svelte')).default);
export const invite = new Part(async () => (await import('../chat/InviteScreen.svelte')).default);
export const switcher = new Part(
  async () => (await import('../chat/QuickSwitcher.svelte')).default,
);
export const keyList = new Part(async () => (await import('../settings/KeyList.svelte')).default);

export const search = new Part(
  async () => (await import('../chat/search/SearchBar.svelte')).default,
);
