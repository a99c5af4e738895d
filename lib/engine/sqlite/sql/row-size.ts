/** Characters of a row with small arguments. */
const USUAL_ROW = 340;

/** How many usual rows take as much room as one with this text: what is written is bounded by that. */
export function rowsFor(text: string | null): number {
  return 1 + Math.floor((text?.length ?? 0) / USUAL_ROW);
}
