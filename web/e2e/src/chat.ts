/** What tests do in a page of the web client, named as people would say it. */
import type { Locator, Page } from 'playwright-core';

export const field = (page: Page): Locator =>
  page.getByRole('textbox', { name: 'Write a message' });
export const list = (page: Page): Locator => page.getByRole('navigation', { name: 'Chats' });
export const log = (page: Page): Locator => page.getByRole('log', { name: 'Messages' });

/** The line of the list with this in it: a name, or what was written last. */
export const line = (page: Page, text: string): Locator =>
  list(page).getByRole('link').filter({ hasText: text });

/** The message with this text in it. */
export const message = (page: Page, text: string): Locator =>
  log(page).getByRole('article').filter({ hasText: text });

export async function write(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press('Enter');
}

/** Opens a conversation from the list. */
export async function enter(page: Page, name: string): Promise<void> {
  await line(page, name).first().click();
  await log(page).waitFor();
}

/** Chooses from the menu of a message. */
export async function choose(page: Page, text: string, entry: string): Promise<void> {
  await message(page, text).first().locator('.bubble').click({ button: 'right' });
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

/** Waits until what was asked for has been laid out and drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))),
  );
}

/** Where the rows in view are: key to top, in pixels of the window. */
export async function rowTops(page: Page): Promise<Record<string, number>> {
  return page.evaluate(() => {
    const view = document.querySelector('[role=log]')?.getBoundingClientRect();
    const rows: Record<string, number> = {};
    for (const row of document.querySelectorAll<HTMLElement>('[data-key]')) {
      const box = row.getBoundingClientRect();
      if (view && box.bottom > view.top && box.top < view.bottom)
        rows[row.dataset.key ?? ''] = box.top;
    }
    return rows;
  });
}
