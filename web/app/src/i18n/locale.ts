// As which place times, dates and numbers are written: in the words of the interface's language, in the way of the
// place where the browser is at home.

/** The tag with its region; a language alone is at home where most who speak it are. */
function regionOf(tag: string): string | undefined {
  try {
    return new Intl.Locale(tag).maximize().region;
  } catch {
    return undefined;
  }
}

const languageOf = (tag: string): string => tag.split('-', 1)[0]?.toLowerCase() ?? '';

/** Whether the browser has something of its own for this region, and does not fall back to the language alone. */
const isKnown = (tag: string): boolean =>
  new Intl.DateTimeFormat(tag).resolvedOptions().locale.split('-u-', 1)[0] === tag;

/** How many hours the clock counts where this is spoken. */
function hourCycle(tag: string): string | undefined {
  try {
    return new Intl.DateTimeFormat(tag, { hour: 'numeric' }).resolvedOptions().hourCycle;
  } catch {
    return undefined;
  }
}

/**
 * The locale for `Intl` when the interface speaks `language` and the browser's user prefers `languages`. It is the
 * first of these of that language; where there is none, that language in the region of the first.
 */
export function localeFor(language: string, languages: readonly string[]): string {
  const [first] = languages;
  if (first === undefined) return language;
  const same = languages.filter((tag) => languageOf(tag) === language);
  const own = same.find((tag) => tag.includes('-')) ?? same[0];
  // Browsers put en-US behind whatever their user speaks: that says nothing of where the user is.
  const added = own === 'en-US' && languageOf(first) !== 'en';
  if (own !== undefined && !added) return own;
  const region = regionOf(first);
  if (region === undefined) return language;
  const near = [`${language}-${region}`];
  // A region that the browser knows no English of is most likely not one that writes as the United States do.
  if (language === 'en' && region !== 'US') near.push('en-001', 'en-GB');
  const found = near.find(isKnown) ?? language;
  const hours = hourCycle(first);
  return hours === undefined ? found : `${found}-u-hc-${hours}`;
}
