/** This release of the SDK. */
export const VERSION = '0.1.0';
