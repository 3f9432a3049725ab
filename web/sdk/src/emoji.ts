/** When two reactions are one. */

/** Whether two emoji are the same, however it is said that they are no letters. */
export const sameEmoji = (one: string, other: string): boolean =>
  one.replaceAll('\ufe0f', '') === other.replaceAll('\ufe0f', '');
