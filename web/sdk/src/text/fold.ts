/**
 * How texts are compared by searches and filters: whatever the case, the accents,
 * the width and what can't be seen.
 */

const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Marks that people leave out: accents, Hebrew points, Arabic vowels and the stretching stroke. Not the vowels of
 * Indic and Thai writing, nor what makes another sound in Japanese.
 */
const MARKS =
  /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]/g;

/** What can't be seen: joiners, signs of direction, soft hyphens, fillers, and what says how a character is drawn. */
const UNSEEN =
  /[\u00ad\u061c\u115f\u1160\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\u17b4|\u17b5|[\u180b-\u180f]|[\ufe00-\ufe0f]|[\u{e0000}-\u{e0fff}]/gu;

/** Letters and signs that Unicode doesn't take apart, as people type them who don't have them on their keyboard. */
const LIKE: Readonly<Record<string, string>> = {
  ł: 'l',
  ƚ: 'l',
  đ: 'd',
  ð: 'd',
  ɖ: 'd',
  ø: 'o',
  ɵ: 'o',
  œ: 'oe',
  æ: 'ae',
  þ: 'th',
  ħ: 'h',
  ŧ: 't',
  ŋ: 'n',
  ĸ: 'k',
  ɨ: 'i',
  ʉ: 'u',
  ƶ: 'z',
  ǥ: 'g',
  ƀ: 'b',
  // Keyboards put in the round ones by themselves.
  ...every("'", '‘’‚‛′ʻʼʹ'),
  ...every('"', '“”„‟'),
  ...every('-', '‐‒–—―−'),
  // Endings that are written either way in Arabic.
  '\u0649': '\u064a',
  '\u0629': '\u0647',
  // Persian letters of the same look.
  '\u06cc': '\u064a',
  '\u06a9': '\u0643',
};
const ALIKE = new RegExp(`[${Object.keys(LIKE).join('')}]`, 'g');

function every(as: string, signs: string): Record<string, string> {
  return Object.fromEntries([...signs].map((sign) => [sign, as]));
}

/** A text as searches and filters compare it. Folding twice changes nothing more. */
export function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  return (
    small(text.replace(UNSEEN, '').replaceAll('´', "'").normalize('NFKD'))
      .normalize('NFKD')
      .replace(MARKS, '')
      .replace(UNSEEN, '')
      .replace(ALIKE, (sign) => LIKE[sign] ?? sign)
      // What was removed may have stood between marks that have an order.
      .normalize('NFKD')
  );
}

/** By way of upper case: it makes ß and ss, and all forms of sigma, the same. */
function small(text: string): string {
  // The last letter of a word has a form of its own: not here.
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}
