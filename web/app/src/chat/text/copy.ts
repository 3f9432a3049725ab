// Copies a text, and says that it did or could not.

import { t } from '../../i18n';
import { notify } from '../../lib/ui';

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(t('chat.copied'));
  } catch {
    notify(t('chat.copyFailed'), { kind: 'error' });
  }
}
