/** A number with separators, rounded. */
export function per(value) {
  return Math.round(value).toLocaleString('en');
}

/** The target, and whether the value reaches it. */
export function verdict(value, target, atLeast = true) {
  return `${target} (${(atLeast ? value >= target : value <= target) ? 'reached' : 'NOT reached'})`;
}
