/**
 * A conversation of 10,000 messages in Chromium: scrolled up without a jump,
 * an answer's target far away, messages that pour in while somebody types.
 * Times are reported, never asserted.
 */
import type { CDPSession, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { Device } from '../src/browser.ts';
import { drawn, field, log, message, rowTops } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const MESSAGES = 10_000;

let ann: Person;
let writers: Person[];
let device: Device;
let page: Page;
let conversation: string;

const words = (n: number) =>
  `message ${n} ${'lorem ipsum dolor sit amet '.repeat((n * 7919) % 9)}`.trim();

beforeAll(async () => {
  ann = await stage.person('ann');
  writers = await Promise.all(['bob', 'cid', 'dora', 'eve'].map((name) => stage.person(name)));
  const [first] = writers;
  if (!first) throw new Error('nobody writes');
  conversation = await group('Long', first, ann, ...writers.slice(1));
  const to = { type: 'conversation', conversation } as const;
  await Promise.all(
    writers.map((writer, w) =>
      say(
        writer,
        to,
        Array.from({ length: MESSAGES / writers.length }, (_, i) => words(i * writers.length + w)),
      ),
    ),
  );
  // The newest one answers one of the first.
  const client = await first.script();
  const { localId } = await client.submit(to, {
    type: 'text',
    text: 'about the beginning',
    replyTo: 20,
  });
  await client.committed(localId);
  await (await ann.script()).markRead(conversation, 1).catch(() => undefined);
  device = await stage.device(ann);
}, 600_000);

const distance = () =>
  page.evaluate(() => {
    const view = document.querySelector('[role=log]');
    return view ? view.scrollHeight - view.scrollTop - view.clientHeight : -1;
  });

/** One press is enough, however fast the messages come. */
async function toEnd(): Promise<void> {
  await field(page).focus();
  await page.keyboard.press('Control+End');
  await message(page, 'about the beginning').waitFor();
}

test('opens, and goes to the end', async () => {
  const begun = performance.now();
  page = await device.page(`/u/0/c/${conversation}`);
  await log(page).waitFor();
  console.log(`first view of a new device: ${Math.round(performance.now() - begun)} ms`);
  await log(page).getByRole('article').first().waitFor();
  await toEnd();
  await expect.poll(distance).toBeLessThan(2);
});

test('scrolls up through thousands of messages, and no row jumps', async () => {
  const box = await log(page).boundingBox();
  if (!box) throw new Error('no timeline');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  let before = await rowTops(page);
  let compared = 0;
  for (let step = 0; step < 120; step++) {
    const by = 200 + (step % 4) * 90;
    await page.mouse.wheel(0, -by);
    await drawn(page);
    await drawn(page);
    const after = await rowTops(page);
    // The topmost may gain or lose its sender's name with what is loaded above it.
    const [topmost] = Object.keys(before).sort((a, b) => (before[a] ?? 0) - (before[b] ?? 0));
    const moves = Object.keys(before)
      .filter((key) => key in after && key !== topmost)
      .map((key) => (after[key] ?? 0) - (before[key] ?? 0));
    // What the wheel said, the same for all rows: nothing was put between them or moved them.
    for (const move of moves) {
      expect(Math.abs(move - (moves[0] ?? 0))).toBeLessThan(1.5);
      expect(move).toBeGreaterThan(-1.5);
      expect(move).toBeLessThan(by * 2 + 2);
      compared++;
    }
    before = after;
  }
  expect(compared).toBeGreaterThan(200);
  // To the very first message, as fast as it loads.
  await page.keyboard.press('Escape');
  await expect
    .poll(
      async () => {
        await page.evaluate(() => {
          const view = document.querySelector('[role=log]');
          if (view) view.scrollTop = 0;
        });
        await drawn(page);
        return log(page).getByText('created “Long”').count();
      },
      { timeout: 240_000, interval: 20 },
    )
    .toBe(1);
  expect(await page.locator('[data-key]').count()).toBeLessThan(250);
});

test('reports frame times while 10,000 messages are scrolled', async () => {
  const session: CDPSession = await page.context().newCDPSession(page);
  const events: { name: string; ph: string; ts: number; dur?: number; tid: number }[] = [];
  session.on('Tracing.dataCollected', ({ value }) =>
    events.push(...(value as unknown as typeof events)),
  );
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: [
        'devtools.timeline',
        'disabled-by-default-devtools.timeline',
        'toplevel',
      ],
    },
  });
  const intervals: number[] = await page.evaluate(
    () =>
      new Promise((done) => {
        const view = document.querySelector('[role=log]') as HTMLElement;
        const times: number[] = [];
        let last = performance.now();
        let frames = 0;
        const frame = (now: number) => {
          times.push(now - last);
          last = now;
          view.scrollTop += 180;
          if (++frames < 400) requestAnimationFrame(frame);
          else done(times);
        };
        requestAnimationFrame(frame);
      }),
  );
  const finished = new Promise((done) => session.once('Tracing.tracingComplete', done));
  await session.send('Tracing.end');
  await finished;
  // The main thread's work between two frames: all its tasks.
  const tasks = events
    .filter((event) => event.name.endsWith('RunTask') && event.dur !== undefined)
    .map((event) => (event.dur ?? 0) / 1000);
  const at = (list: number[], part: number) =>
    [...list].sort((a, b) => a - b)[Math.floor(list.length * part)]?.toFixed(1);
  console.log(
    `scrolling: ${intervals.length} frames, interval p50 ${at(intervals, 0.5)} p95 ${at(intervals, 0.95)} p99 ${at(intervals, 0.99)} max ${at(intervals, 0.9999)} ms; ` +
      `main-thread tasks ${tasks.length}, p99 ${at(tasks, 0.99)}, longest ${Math.max(0, ...tasks).toFixed(1)} ms, above 16 ms: ${tasks.filter((task) => task > 16).length}`,
  );
  expect(intervals.length).toBe(400);
});

test('jumps to an answered message 10,000 back, and back again', async () => {
  await toEnd();
  await message(page, 'about the beginning').getByTitle('Go to the message this answers').click();
  await page.waitForFunction(() => document.querySelector('.highlighted'));
  const target = page.locator('.highlighted .text');
  expect(await target.textContent()).toMatch(/^message \d+/);
  // What comes meanwhile does not move it.
  const before = await rowTops(page);
  await say(writers[1] as Person, { type: 'conversation', conversation }, ['meanwhile']);
  await page.getByRole('button', { name: /To the newest message/ }).waitFor();
  await drawn(page);
  const after = await rowTops(page);
  for (const [key, top] of Object.entries(before))
    expect(Math.abs((after[key] ?? top) - top)).toBeLessThan(1.5);
  await page.getByRole('button', { name: 'Back', exact: true }).last().click();
  await message(page, 'about the beginning').waitFor();
});

test('200 messages a second come in and typing goes on', async () => {
  await field(page).focus();
  await page.keyboard.press('Control+End');
  const seconds = 8;
  let sent = 0;
  const commits: Promise<unknown>[] = [];
  const flood = Promise.all(
    writers.map(async (writer, w) => {
      const client = await writer.script();
      for (let i = 0; i < seconds * 50; i++) {
        const due = performance.now() + 20;
        const { localId } = await client.submit(
          { type: 'conversation', conversation },
          { type: 'text', text: `flood ${w} ${i}` },
        );
        commits.push(client.committed(localId));
        sent++;
        await new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())));
      }
    }),
  );
  const typed = 'the quick brown fox jumps over the lazy dog';
  const delays: number[] = [];
  for (const letter of typed) {
    const begun = performance.now();
    await page.keyboard.press(letter === ' ' ? 'Space' : letter);
    await page.waitForFunction(
      (text) => document.querySelector('textarea')?.value.endsWith(text),
      letter,
    );
    await drawn(page);
    delays.push(performance.now() - begun);
  }
  await flood;
  await Promise.all(commits);
  expect(await field(page).inputValue()).toBe(typed);
  const sorted = [...delays].sort((a, b) => a - b);
  console.log(
    `typing under a flood (${sent} sent in ${seconds} s or more): key to two frames later p50 ${sorted[Math.floor(sorted.length / 2)]?.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms`,
  );
  await field(page).fill('');
  // All of it is there: the newest of all can be seen.
  const newest = (await (await ann.script()).describe(conversation)).lastSeq;
  const { entries } = await (await ann.script()).history(
    conversation,
    { type: 'before', seq: newest + 1 },
    { limit: 1 },
  );
  const last = entries[0];
  expect(last?.type).toBe('message');
  if (last?.type === 'message') await message(page, last.text).last().waitFor({ timeout: 60_000 });
});

test('shows what it knows as soon as it comes again', async () => {
  const times: number[] = [];
  for (let visit = 0; visit < 5; visit++) {
    await page.reload({ waitUntil: 'commit' });
    await log(page).getByRole('article').first().waitFor();
    // Since this navigation began.
    times.push(await page.evaluate(() => performance.now()));
  }
  times.sort((a, b) => a - b);
  console.log(
    `first view of a cached client: median ${times[2]?.toFixed(0)} ms, worst ${times[4]?.toFixed(0)} ms of ${times.length} visits`,
  );
  await expect.poll(() => log(page).getByRole('article').count()).toBeGreaterThan(10);
});
