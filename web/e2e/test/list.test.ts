/**
 * The scroll contract of the timeline's list, on generated rows in Chromium:
 * what the reader looks at never moves by itself.
 */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { drawn, rowTops } from '../src/chat.ts';
import { servePages } from '../src/pages.ts';
import { setStage } from '../src/stage.ts';

const pages = servePages();
const stage = setStage('no server');

async function open(query = ''): Promise<Page> {
  const device = await stage.blankDevice({}, pages.origin);
  const page = await device.page(`/list.html${query}`);
  await page.waitForSelector('[data-key]');
  await drawn(page);
  return page;
}

/** Runs one of the page's functions. */
async function act(page: Page, name: string, ...args: unknown[]): Promise<void> {
  await page.evaluate(
    ([name, args]) =>
      (window as never as { list: Record<string, (...a: unknown[]) => unknown> }).list[
        name as string
      ]?.(...(args as unknown[])),
    [name, args] as const,
  );
  await drawn(page);
}

const distance = (page: Page) =>
  page.evaluate(() => {
    const view = document.querySelector('[role=log]');
    return view ? view.scrollHeight - view.scrollTop - view.clientHeight : -1;
  });

async function wheel(page: Page, by: number): Promise<void> {
  await page.mouse.move(200, 300);
  await page.mouse.wheel(0, by);
  await drawn(page);
  await drawn(page);
}

/** The rows that both have are where they were. */
function same(
  before: Record<string, number>,
  after: Record<string, number>,
  above?: string,
): number {
  let shared = 0;
  for (const [key, top] of Object.entries(before)) {
    const now = after[key];
    if (now === undefined || (above !== undefined && key <= above)) continue;
    expect(Math.abs(now - top), `${key} moved by ${now - top}`).toBeLessThan(1.5);
    shared++;
  }
  return shared;
}

test('opens at the end and follows it', async () => {
  const page = await open();
  expect(await distance(page)).toBeLessThan(2);
  expect(await rowTops(page)).toHaveProperty('k9999');
  await act(page, 'append', 3);
  expect(await distance(page)).toBeLessThan(2);
  expect(await rowTops(page)).toHaveProperty('k10002');
  await act(page, 'grow', 'k10002', 120);
  expect(await distance(page)).toBeLessThan(2);
});

test('opens at a row', async () => {
  const page = await open('?start=k9850');
  const at = await rowTops(page);
  const view = await page.locator('[role=log]').boundingBox();
  expect((at.k9850 ?? -1) - (view?.y ?? 0)).toBeCloseTo(48, -1);
});

test('nothing moves under a reader who is not at the end', async () => {
  const page = await open();
  await wheel(page, -2500);
  const before = await rowTops(page);
  const keys = Object.keys(before);
  await act(page, 'append', 50);
  expect(same(before, await rowTops(page))).toBe(keys.length);
  await act(page, 'prepend', 200);
  expect(same(before, await rowTops(page))).toBe(keys.length);
  // Above the view: all of it stays.
  await act(page, 'grow', 'k9802', 300);
  expect(same(before, await rowTops(page))).toBe(keys.length);
  // A row that goes, above as well.
  await act(page, 'remove', 'k9803');
  expect(same(before, await rowTops(page))).toBe(keys.length);
  await act(page, 'toEnd');
  expect(await distance(page)).toBeLessThan(2);
  await act(page, 'append', 5);
  expect(await distance(page)).toBeLessThan(2);
});

test('ten thousand rows loaded while scrolling up, none jumps', async () => {
  const page = await open('?rows=200');
  await act(page, 'autoload', true);
  let oldest = 10_000;
  let before = await rowTops(page);
  for (let step = 0; step < 160 && oldest > 20; step++) {
    const by = -(150 + (step % 5) * 60);
    await wheel(page, by);
    const after = await rowTops(page);
    const shared = Object.keys(before).filter((key) => key in after);
    // All that both views have moved by the same amount: what the wheel said.
    for (const key of shared) {
      const moved = (after[key] ?? 0) - (before[key] ?? 0);
      expect(Math.abs(moved + by), `${key} moved ${moved} for a wheel of ${by}`).toBeLessThan(2);
    }
    before = after;
    oldest = Math.min(...Object.keys(after).map((key) => Number(key.slice(1))));
    if (step % 8 === 7) {
      // Skips ahead, as by dragging the bar.
      await page.evaluate(() => {
        const view = document.querySelector('[role=log]');
        if (view) view.scrollTop = 0;
      });
      await drawn(page);
      await drawn(page);
      before = await rowTops(page);
    }
  }
  const counts = (await page.evaluate(() =>
    (window as never as { list: { counts(): { rows: number; drawn: number } } }).list.counts(),
  )) as { rows: number; drawn: number };
  expect(counts.rows).toBeGreaterThan(3000);
  expect(counts.drawn).toBeLessThan(200);
});

test('a row at the very top that gets a higher head grows upwards', async () => {
  const page = await open('?rows=60');
  const texts = () =>
    page.evaluate(() => {
      const rows = [...document.querySelectorAll<HTMLElement>('[data-key]')];
      // Where the writing ends: what the reader looks at.
      return Object.fromEntries(
        rows.map((row) => [row.dataset.key ?? '', row.getBoundingClientRect().bottom]),
      );
    });
  for (const place of [0, 9]) {
    await page.evaluate((top) => {
      const view = document.querySelector('[role=log]');
      if (view) view.scrollTop = top;
    }, place);
    await drawn(page);
    await drawn(page);
    const before = await texts();
    const [first = ''] = Object.keys(before).sort();
    await act(page, 'prependNaming', 40, 24);
    await drawn(page);
    const after = await texts();
    expect(after[first]).toBeDefined();
    expect(same(before, after)).toBeGreaterThan(3);
  }
});

test('jumps to a row far away and focuses it', async () => {
  const page = await open('?rows=10000');
  await act(page, 'toRow', 'k123');
  expect(await rowTops(page)).toHaveProperty('k123');
  expect(await page.evaluate(() => (document.activeElement as HTMLElement)?.dataset.key)).toBe(
    'k123',
  );
  const at = await rowTops(page);
  await act(page, 'append', 10);
  same(at, await rowTops(page));
});

test('is one stop for Tab, with arrows between rows', async () => {
  const page = await open();
  await page.focus('#before');
  await page.keyboard.press('Tab');
  const focused = () =>
    page.evaluate(
      () =>
        (document.activeElement as HTMLElement)?.dataset.key ??
        document.activeElement?.id ??
        document.activeElement?.tagName,
    );
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-key'));
  expect(await focused()).toBe('k9999');
  // Far enough up that the rows at first in the page are gone, past one that takes no focus.
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('ArrowUp');
    await drawn(page);
  }
  expect(await focused()).toBe('k9937');
  expect(await rowTops(page)).toHaveProperty('k9937');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('after');
  await page.keyboard.press('Shift+Tab');
  expect(await focused()).toBe('k9937');
  expect(await page.locator('[role=article][tabindex="0"]').count()).toBe(1);
});

test('focus is not lost when its row leaves the page', async () => {
  const page = await open();
  await page.focus('#before');
  await page.keyboard.press('Tab');
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-key'));
  await wheel(page, -6000);
  expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('log');
  await page.keyboard.press('ArrowUp');
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-key'));
});

test('a row that the reader opens grows downward, also at the end, and keeps its end when it is closed', async () => {
  const page = await open();
  const last = 'k9999';
  const top = async () => (await rowTops(page))[last] ?? Number.NaN;
  const before = await top();
  await act(page, 'toggle', last, 3_000);
  await expect.poll(() => distance(page)).toBeGreaterThan(2_500);
  expect(Math.abs((await top()) - before)).toBeLessThan(1.5);
  // What comes meanwhile does not move it either.
  await act(page, 'append', 3);
  expect(Math.abs((await top()) - before)).toBeLessThan(1.5);
  await wheel(page, 3_000);
  const bottom = () =>
    page.evaluate(
      (key) => document.querySelector(`[data-key=${key}]`)?.getBoundingClientRect().bottom ?? 0,
      last,
    );
  const end = await bottom();
  await act(page, 'toggle', last, 0);
  expect(Math.abs((await bottom()) - end)).toBeLessThan(1.5);
});

test('few rows stand at the end of the view', async () => {
  const page = await open('?rows=3');
  const [view, last] = await page.evaluate(() =>
    ['[role=log]', '[data-key=k9999]'].map(
      (name) => document.querySelector(name)?.getBoundingClientRect().bottom ?? 0,
    ),
  );
  expect((view ?? 0) - (last ?? 0)).toBeGreaterThan(8);
  expect((view ?? 0) - (last ?? 0)).toBeLessThan(24);
});
