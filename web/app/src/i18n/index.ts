export {
  agoText,
  clockText,
  dateText,
  dayText,
  listText,
  monthText,
  numberText,
} from './format.svelte';
export {
  isRightToLeft,
  type Key,
  language,
  loadLanguage,
  t,
  type Values,
} from './translate.svelte';
