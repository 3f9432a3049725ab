// Runs before the first paint: puts the theme, text size, language and direction that were chosen on this device on
// the root element. The app calls it again when one of them changes (src/lib/device.svelte.ts).
(() => {
  const LANGUAGES = ['en', 'ar'];
  const RIGHT_TO_LEFT = ['ar'];

  function chosen() {
    try {
      const value = JSON.parse(localStorage.getItem('parley.device') ?? '{}');
      return value !== null && typeof value === 'object' ? value : {};
    } catch {
      return {};
    }
  }

  function apply() {
    const device = chosen();
    const root = document.documentElement;
    const theme = device.theme === 'light' || device.theme === 'dark' ? device.theme : 'system';
    root.dataset.theme = theme;
    root.dataset.textSize = ['small', 'large', 'huge'].includes(device.textSize)
      ? device.textSize
      : 'normal';
    const wanted = LANGUAGES.includes(device.language) ? [device.language] : navigator.languages;
    const language =
      wanted.map((tag) => String(tag).slice(0, 2)).find((tag) => LANGUAGES.includes(tag)) ?? 'en';
    root.lang = language;
    root.dir = RIGHT_TO_LEFT.includes(language) ? 'rtl' : 'ltr';
  }

  globalThis.parleyBoot = apply;
  apply();
})();
