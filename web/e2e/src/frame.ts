/** What tests do around the chat, named as people would say it. */
import type { Page } from 'playwright-core';
import { PASSWORD } from './people.ts';

export const nameField = (page: Page) => page.getByRole('textbox', { name: 'User name' });
export const passwordField = (page: Page) => page.getByLabel('Password', { exact: true });

/** Fills the form of signing in or up and sends it. */
export async function fillIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await nameField(page).fill(name);
  await passwordField(page).fill(password);
  await passwordField(page).press('Enter');
}

/** Signed in and drawn. */
export async function framed(page: Page): Promise<void> {
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

/** What a short notice says. */
export const notice = (page: Page, text: string) => page.getByRole('status').getByText(text);
