/** Whether two plain values, as they come from the SDK, are the same. */
export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const one = a as Record<string, unknown>;
  const other = b as Record<string, unknown>;
  // Absent and undefined are the same.
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  for (const name of names) if (!equal(one[name], other[name])) return false;
  return true;
}
