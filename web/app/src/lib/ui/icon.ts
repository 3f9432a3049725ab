// Icons come from @lucide/svelte, one import each: `import Send from '@lucide/svelte/icons/send'`.

import type Send from '@lucide/svelte/icons/send';

/** Any icon component. */
export type IconType = typeof Send;
