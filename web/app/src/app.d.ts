declare global {
  /** Puts this device's theme, text size, language and direction on the root element (public/boot.js). */
  var parleyBoot: () => void;
}

export {};
