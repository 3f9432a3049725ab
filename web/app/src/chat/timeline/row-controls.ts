// Keys among the controls of one row: Tab and the arrows go around, and Escape comes back out to the row.

export function rowControlKey(event: KeyboardEvent, target: HTMLElement, row: HTMLElement): void {
  if (event.key === 'Escape') {
    row.focus({ preventScroll: true });
  } else {
    const back = event.key === 'ArrowLeft' || (event.key === 'Tab' && event.shiftKey);
    if (!back && event.key !== 'ArrowRight' && event.key !== 'Tab') return;
    const controls = [
      ...row.querySelectorAll<HTMLElement>('button:not(:disabled), a[href]:not([aria-hidden])'),
    ];
    const at = controls.indexOf(target) + (back ? -1 : 1);
    controls[(at + controls.length) % controls.length]?.focus({ preventScroll: true });
  }
  event.preventDefault();
  event.stopPropagation();
}
