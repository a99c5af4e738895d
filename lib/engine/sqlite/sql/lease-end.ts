/**
 * The end of a lease also says whether its attempt is known to have begun: it is even then. So no start
 * needs a write of its own. Known is that of the first job of a claim, which starts at once, and of all that
 * have lived to see their lease renewed.
 */
export function leaseEnd(until: number, begun: boolean): number {
  return until - (until % 2) - (begun ? 0 : 1);
}

/** In SQL: whether the attempt of a row is known to have begun. */
export const HAS_BEGUN = 'leased_until % 2 = 0';
