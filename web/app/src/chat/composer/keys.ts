/**
 * What a key pressed in the composer's field asks for. Formatting keys are in
 * lib/shortcuts.ts; every other key writes or moves the caret, and asks for nothing.
 */

export type KeyAction =
  | { readonly type: 'choose'; readonly step: 1 | -1 }
  | { readonly type: 'complete' }
  | { readonly type: 'closeMatches' }
  | { readonly type: 'send' }
  | { readonly type: 'last'; readonly what: 'edit' | 'reply' }
  | { readonly type: 'cancel' };

/** The composer as far as keys depend on it. */
export interface KeyContext {
  /** The list of completions is open. */
  readonly matching: boolean;
  readonly empty: boolean;
  /** An answer or an edit is being written. */
  readonly targeted: boolean;
  /** Enter sends and Shift, Ctrl or Cmd with it makes a new line; otherwise the other way around. */
  readonly enterSends: boolean;
}

export type Press = Pick<
  KeyboardEvent,
  'key' | 'shiftKey' | 'ctrlKey' | 'metaKey' | 'altKey' | 'isComposing' | 'keyCode'
>;

/** While an input method composes, its keys are its own (229 is what Safari says for the last one). */
export function isComposing({ isComposing, keyCode }: Press): boolean {
  return isComposing || keyCode === 229;
}

export function keyAction(press: Press, context: KeyContext): KeyAction | undefined {
  if (isComposing(press)) return undefined;
  return (context.matching ? matchesKey(press) : undefined) ?? fieldKey(press, context);
}

function matchesKey({ key }: Press): KeyAction | undefined {
  switch (key) {
    case 'ArrowDown':
      return { type: 'choose', step: 1 };
    case 'ArrowUp':
      return { type: 'choose', step: -1 };
    case 'Tab':
    case 'Enter':
      return { type: 'complete' };
    case 'Escape':
      return { type: 'closeMatches' };
    default:
      return undefined;
  }
}

function fieldKey(press: Press, context: KeyContext): KeyAction | undefined {
  const { key, shiftKey: shift, altKey: alt } = press;
  const control = press.ctrlKey || press.metaKey;
  switch (key) {
    case 'Enter':
      return !alt && context.enterSends !== (shift || control) ? { type: 'send' } : undefined;
    case 'ArrowUp':
      if (!context.empty || alt || control) return undefined;
      return { type: 'last', what: shift ? 'reply' : 'edit' };
    case 'Escape':
      return context.targeted ? { type: 'cancel' } : undefined;
    default:
      return undefined;
  }
}
