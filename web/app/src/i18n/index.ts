export {
  agoText,
  clockText,
  dateText,
  dayText,
  listText,
  momentText,
  monthText,
  numberText,
} from './format.svelte';
export { followClock, thisMinute } from './now.svelte';
export {
  isRightToLeft,
  type Key,
  language,
  loadLanguage,
  locale,
  t,
  type Values,
} from './translate.svelte';
