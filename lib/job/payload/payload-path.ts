const LONGEST_KEY = 60;
const MOST_STEPS = 24;
const SHOWN_AT_START = 12;
const SHOWN_AT_END = 6;

/** One step from a container to a value inside it: an index, a property's name, or an {@link EntryStep}. */
export type PathStep = number | string | EntryStep;

/** The step into a `Map` or a `Set`. One object serves a whole container: it moves along. */
export class EntryStep {
  part: 'keys' | 'values' = 'values';
  index = 0;
  /** The key of the entry, for a `Map`. */
  key: unknown = undefined;

  toString(): string {
    return this.part === 'values' && typeof this.key === 'string'
      ? `.get(${quote(this.key)})`
      : `.${this.part}()[${this.index}]`;
  }
}

/** The path as a user would write it: `args[0].user["first name"]`; of a very long one the middle is left out. */
export function formatPath(root: string, steps: readonly PathStep[]): string {
  const parts = steps.map(formatStep);
  if (parts.length > MOST_STEPS) {
    parts.splice(SHOWN_AT_START, parts.length - SHOWN_AT_START - SHOWN_AT_END, ' … ');
  }
  return root + parts.join('');
}

function formatStep(step: PathStep): string {
  if (typeof step === 'number') return `[${step}]`;
  if (typeof step !== 'string') return step.toString();
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) && step.length <= LONGEST_KEY
    ? `.${step}`
    : `[${quote(step)}]`;
}

function quote(key: string): string {
  return JSON.stringify(key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key);
}
