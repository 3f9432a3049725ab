// What the composer does to its text area beyond writing into it.

import type { Change } from './format';

/** The part of the window's height that it may take. */
const MOST = 0.4;

/** Makes the field as high as its text. */
export function fit(field: HTMLTextAreaElement): void {
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight + 2, innerHeight * MOST)}px`;
}

/** Replaces a part of its text, in a way that Ctrl+Z takes back, and selects what the change says. */
export function replaceIn(
  field: HTMLTextAreaElement,
  { from, to, put, select }: Omit<Change, 'select'> & Partial<Change>,
): void {
  // Only what has the focus is written into; it may have been on a list or a picker.
  field.focus();
  field.setSelectionRange(from, to);
  // The old command alone leaves the way back with Ctrl+Z.
  if (!document.execCommand('insertText', false, put)) field.setRangeText(put, from, to, 'end');
  if (select) field.setSelectionRange(...select);
}

/** Where the caret stands; nothing while something is selected. */
export function caretOf(field: HTMLTextAreaElement | undefined): number | undefined {
  return field && field.selectionStart === field.selectionEnd ? field.selectionStart : undefined;
}
