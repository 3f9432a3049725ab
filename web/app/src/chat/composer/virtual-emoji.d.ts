declare module 'virtual:emoji' {
  const groups: readonly (readonly [
    number,
    readonly (readonly [emoji: string, words: string, codes: string, tones?: 1])[],
  ])[];
  export default groups;
}
