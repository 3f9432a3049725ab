// Keeps files that are dragged onto the app or pasted from doing harm: without a listener a browser leaves the app
// and opens the file instead. They can't be sent yet, and the app says so. Text is dropped into fields as ever.

import { t } from '../i18n';
import { notify } from '../lib/ui';

/** What a drag or a clipboard holds, as far as the guard looks. */
type Held = Pick<DataTransfer, 'types'> | null;

/** Files, also next to a form of them in HTML, as browsers copy pictures; not the picture beside a copied text. */
export function holdsFiles(held: Held): boolean {
  const types = held?.types ?? [];
  return types.includes('Files') && !types.includes('text/plain');
}

/** Whether text that is dropped here goes into a field; elsewhere a browser would follow a dropped link. */
function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLInputElement && !target.readOnly && !target.disabled)
  );
}

function over(event: DragEvent): void {
  const { dataTransfer: held } = event;
  const files = held?.types.includes('Files') ?? false;
  if (!files && takesText(event.target)) return;
  event.preventDefault();
  // Files are let drop, so that the drop is heard and answered.
  if (held) held.dropEffect = files ? 'copy' : 'none';
}

function dropped(event: DragEvent): void {
  const files = event.dataTransfer?.types.includes('Files') ?? false;
  if (!files && takesText(event.target)) return;
  event.preventDefault();
  if (files) say();
}

function pasted(event: ClipboardEvent): void {
  if (event.defaultPrevented || !holdsFiles(event.clipboardData)) return;
  event.preventDefault();
  say();
}

const say = (): void => void notify(t('files.notYet'), { kind: 'error' });

/** Begins to guard; returns how to stop. */
export function guardFiles(): () => void {
  addEventListener('dragover', over);
  addEventListener('drop', dropped);
  addEventListener('paste', pasted);
  return () => {
    removeEventListener('dragover', over);
    removeEventListener('drop', dropped);
    removeEventListener('paste', pasted);
  };
}
