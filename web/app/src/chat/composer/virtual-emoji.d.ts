declare module 'virtual:emoji' {
  const groups: readonly (readonly [number, readonly (readonly [string, string])[]])[];
  export default groups;
}
