/**
 * Chromium for tests: one for a test file, a context for each device. What a
 * page complains about fails the test that asks.
 */
import { existsSync } from 'node:fs';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function openBrowser(): Promise<Browser> {
  const path = process.env.CHROMIUM ?? CANDIDATES.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error('no Chromium: install it, or name one in CHROMIUM');
  return chromium.launch({
    executablePath: path,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
  deviceScaleFactor: 2,
};
export const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };

/** A browser profile of its own: a device. */
export class Device {
  /** Errors, refused content and dialogs of all its pages. A test that has one fails; see stage.ts. */
  readonly complaints: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly origin: string,
  ) {}

  static async open(
    browser: Browser,
    origin: string,
    options: BrowserContextOptions = DESKTOP,
  ): Promise<Device> {
    const context = await browser.newContext({
      serviceWorkers: 'block',
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      ...options,
    });
    // Long, for machines that do much else at the same time.
    context.setDefaultTimeout(60_000);
    const device = new Device(context, origin);
    context.on('page', (page) => device.#watch(page));
    return device;
  }

  #watch(page: Page): void {
    page.on('pageerror', (error) => this.complaints.push(`error: ${error.stack ?? error.message}`));
    page.on('dialog', (dialog) => {
      this.complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      // A lost connection and a refused request are told by the browser itself; tests that cause them expect them.
      if (
        message.type() === 'error' &&
        !/WebSocket connection|Failed to load resource/.test(message.text())
      )
        this.complaints.push(`console: ${message.text()}`);
    });
  }

  async page(path = '/'): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(this.origin + path);
    return page;
  }

  /** Takes out what a test causes on purpose. */
  expectComplaints(about: RegExp): void {
    const others = this.complaints.filter((complaint) => !about.test(complaint));
    this.complaints.splice(0, Number.POSITIVE_INFINITY, ...others);
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
