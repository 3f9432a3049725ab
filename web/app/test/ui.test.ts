import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shellFiles } from '../build/service-worker';
import { keyNames, SHORTCUTS } from '../src/lib/shortcuts';
import { firstEntry, type MenuEntry, movedTo, nextEntry } from '../src/lib/ui/menu';
import { initials, tileColour } from '../src/lib/ui/tile';

describe('tiles', () => {
  it.each([
    ['ann', 'A'],
    ['Ann Lee', 'AL'],
    ['anna maria von Berg', 'AB'],
    ['ann.lee_x', 'AX'],
    ['دينا علي', 'دع'],
    ['🇩🇪', '🇩🇪'],
    ['(ann)', 'A'],
    ['', '?'],
    ['   ', '?'],
    ['e\u0301va', 'E\u0301'],
  ])('of %s', (name, letters) => {
    expect(initials(name)).toBe(letters);
  });

  it('stay small, whatever the name', () => {
    expect(initials(`a${'\u0301'.repeat(5_000)}`).length).toBeLessThan(20);
    expect(initials('\u0000'.repeat(10_000)).length).toBeLessThan(5);
  });

  it('have all colours', () => {
    const ids = Array.from(
      { length: 500 },
      (_, at) => `0189${(at * 7919).toString(16)}-8def-${at}`,
    );
    expect([...new Set(ids.map(tileColour))].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe('menus', () => {
  const entry = (id: string, disabled = false): MenuEntry => ({
    id,
    label: id,
    disabled,
    onselect: () => undefined,
  });

  it('move past disabled entries and around the ends', () => {
    const entries = [entry('a', true), entry('b'), entry('c', true), entry('d')];
    expect(nextEntry(entries, -1, 1)).toBe(1);
    expect(nextEntry(entries, 1, 1)).toBe(3);
    expect(nextEntry(entries, 3, 1)).toBe(1);
    expect(nextEntry(entries, 1, -1)).toBe(3);
    expect(nextEntry(entries, entries.length, -1)).toBe(3);
    expect(nextEntry([entry('a', true)], -1, 1)).toBe(-1);
    expect(nextEntry([], -1, 1)).toBe(-1);
  });
});

describe('menus with a row on top', () => {
  const entry = (id: string, row = false): MenuEntry => ({ id, label: id, row, onselect() {} });
  const entries = [entry('1', true), entry('2', true), entry('3', true), entry('a'), entry('b')];

  it('begin below the row', () => {
    expect(firstEntry(entries)).toBe(3);
    expect(firstEntry(entries.slice(3))).toBe(0);
  });

  it.each([
    [3, 'ArrowUp', 0],
    [4, 'ArrowUp', 3],
    [1, 'ArrowUp', 4],
    [1, 'ArrowDown', 3],
    [4, 'ArrowDown', 0],
    [1, 'ArrowRight', 2],
    [2, 'ArrowRight', 0],
    [0, 'ArrowLeft', 2],
    [3, 'ArrowRight', undefined],
    [4, 'Home', 0],
    [0, 'End', 4],
    [0, 'x', undefined],
  ])('lead from %i by %s to %s', (from, key, to) => {
    expect(movedTo(entries, from, key, false)).toBe(to);
  });

  it('go the other way from right to left', () => {
    expect(movedTo(entries, 1, 'ArrowRight', true)).toBe(0);
  });
});

describe('shortcuts', () => {
  it('have keys of their own', () => {
    const keys = SHORTCUTS.map((shortcut) => shortcut.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('are written as on the keyboard', () => {
    expect(keyNames('$mod+k', false)).toEqual(['Ctrl', 'K']);
    expect(keyNames('$mod+/', true)).toEqual(['⌘', '/']);
    expect(keyNames('Alt+Shift+ArrowUp', false)).toEqual(['Alt', 'Shift', '↑']);
  });
});

describe('the list of the service worker', () => {
  it('has every file once, and a version that changes with them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-shell-'));
    try {
      mkdirSync(join(folder, 'assets'));
      for (const name of ['index.html', 'assets/a-1.js', 'assets/a-1.js.gz', 'sw.js', 'boot.js']) {
        writeFileSync(join(folder, name), name);
      }
      const first = shellFiles(folder);
      expect(first.files.sort()).toEqual(['/', '/assets/a-1.js', '/boot.js']);
      expect(shellFiles(folder).version).toBe(first.version);
      writeFileSync(join(folder, 'boot.js'), 'other');
      expect(shellFiles(folder).version).not.toBe(first.version);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
