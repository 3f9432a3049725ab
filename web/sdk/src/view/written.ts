/** What becomes of a text between the field it was written in and its send. */

/**
 * A text without the blank lines before it and the white space after it. The space
 * before the first word stays: it may indent.
 */
export function withoutBlankEnds(text: string): string {
  const end = text.trimEnd();
  const first = end.length - end.trimStart().length;
  return end.slice(end.lastIndexOf('\n', first - 1) + 1);
}
