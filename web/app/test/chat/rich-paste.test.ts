// Text copied from pages and documents becomes the marks that the client shows.

import { expect, test } from 'vitest';
import { htmlTokens } from '../../src/chat/composer/html-tokens';
import { richText } from '../../src/chat/composer/rich-paste';
import { parts } from '../../src/chat/text/segments';

test('a heading, bold, italic, strike, code, links and lists', () => {
  const html = `<meta charset='utf-8'><!--StartFragment--><h2>Plan</h2>
    <p>Mind <strong>this</strong> and <em>that</em>, <del>not this</del>,
    <code>x = 1</code>: <a href="https://example.com/a">the page</a>.</p>
    <ul><li>one<li><p>two</p><ol start="3"><li>three</li></ol></li></ul><p>End</p><!--EndFragment-->`;
  expect(richText(html)).toBe(
    [
      '**Plan**',
      '',
      'Mind **this** and *that*, ~~not this~~, `x = 1`: [the page](https://example.com/a).',
      '',
      '- one',
      '- two',
      '  3. three',
      '',
      'End',
    ].join('\n'),
  );
});

test('what it writes is shown as it was', () => {
  const text = richText(
    '<b>bold <i>both</i> </b>then <a href="https://example.com"><b>loud</b></a>',
  );
  expect(text).toBe('**bold _both_** then [**loud**](https://example.com/)');
  const [part] = parts(text ?? '', [], false);
  expect(part?.segments.map(({ text, bold, italic }) => [text, bold, italic])).toEqual([
    ['bold ', true, undefined],
    ['both', true, true],
    [' then ', undefined, undefined],
    ['loud', true, undefined],
  ]);
});

test('quotes and code', () => {
  expect(richText('<blockquote><p>said</p><p>more</p></blockquote>after')).toBe(
    '> said\n>\n> more\n\nafter',
  );
  expect(richText('so:<pre><code>a\n  <b>b</b></code></pre>')).toBe('so:\n\n```\na\n  b\n```');
});

test('styles of editors that use no elements for them', () => {
  const docs =
    '<b style="font-weight:normal;" id="docs-internal"><span style="font-weight:700">x</span>' +
    '<span style="font-style:italic">&nbsp;y</span><span style="text-decoration:line-through">z</span></b>';
  expect(richText(docs)).toBe('**x** *y*~~z~~');
});

test('nothing to mark leaves the plain text', () => {
  expect(richText('<div><span style="color:red">a</span> b</div>')).toBeUndefined();
  expect(richText('<img src="https://example.com/a.png" alt="a">')).toBeUndefined();
  expect(richText(`<b>${'x'.repeat(500_000)}</b>`)).toBeUndefined();
});

test('only addresses that a message may link to; an address stands for itself', () => {
  expect(richText('<b>a</b> <a href="javascript:alert(1)">b</a> <a href="/c">c</a>')).toBe(
    '**a** b c',
  );
  expect(richText('<a href="https://example.com/">https://example.com</a>')).toBe(
    'https://example.com',
  );
  expect(richText('<a href="https://example.com/a_(b)">x</a>')).toBe(
    '[x](https://example.com/a_%28b%29)',
  );
  expect(richText('<a href="https://example.com/">see [1]</a>')).toBe(
    'see [1] (https://example.com/)',
  );
});

test('scripts, styles and what is hidden are no text; entities are characters', () => {
  expect(
    richText(
      '<style>p{}</style><script>alert("<b>")</script><b>a &lt;b&gt; &amp;amp; &#x1F680;</b><i style="display:none">no</i>',
    ),
  ).toBe('**a <b> &amp; 🚀**');
});

test('odd HTML is read in one pass', () => {
  // With a pass for each tag this would not end in time.
  for (const odd of ['<a "', '<a ="', '<svg>', '&#x', '<', '<div>', '<li>', '<b> ', '</b>']) {
    const html = odd.repeat(99_999 / odd.length);
    expect([...htmlTokens(html)].length).toBeLessThan(100_000);
    richText(`<b>x</b>${html}`);
  }
});
