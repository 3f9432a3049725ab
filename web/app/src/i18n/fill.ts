// Filling the places of a string: `{name}`, and `{n}`, which also chooses the plural form.

/** A string, or its forms by plural category. */
export type Text = string | { other: string; [category: string]: string };
export type Values = Record<string, string | number>;

const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802\ud803\ud83a\ud83b][\udc00-\udfff]/;
/** Characters that turn the direction of the text around them. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const plurals = new Map<string, Intl.PluralRules>();
const numbers = new Map<string, Intl.NumberFormat>();

function cached<T>(map: Map<string, T>, language: string, make: () => T): T {
  const found = map.get(language) ?? make();
  map.set(language, found);
  return found;
}

/** `locale` is how numbers are written; as the language does unless said. */
export function fill(language: string, text: Text, values: Values, locale = language): string {
  let form = typeof text === 'string' ? text : text.other;
  if (typeof text !== 'string' && typeof values.n === 'number') {
    const rules = cached(plurals, language, () => new Intl.PluralRules(language));
    form = text[rules.select(values.n)] ?? text.other;
  }
  return form.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) return place;
    if (typeof value === 'string') return isolate(language, value);
    return cached(numbers, locale, () => new Intl.NumberFormat(locale)).format(value);
  });
}

/** A name must not change the direction of the sentence around it, even if it has characters that do. */
export function isolate(language: string, value: string): string {
  const clean = value.replace(DIRECTION, '');
  const foreign = language === 'ar' ? /[^\s\d]/.test(clean) : RIGHT_TO_LEFT.test(clean);
  return foreign ? `\u2068${clean}\u2069` : clean;
}
