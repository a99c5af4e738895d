import { PayloadError } from '../errors.js';
import { EntryStep, utf8Bytes } from './kinds/kind.js';
import { messageOf } from './payload-rejection.js';

const MAX_DEPTH = 500;

/** In the path of an error: the longest key that is shown whole, and the number of steps. */
const LONGEST_KEY = 60;
const MAX_STEPS = 24;
const STEPS_AT_START = 12;
const STEPS_AT_END = 6;

/** The value that is copied, as errors name it. */
export type PayloadRoot = 'args' | 'signal' | 'result' | 'metadata' | 'context' | 'progress';

/** A step from a container to a value inside it: an index, a property's name, or an {@link EntryStep}. */
type PathStep = number | string | EntryStep;

/**
 * The position of a walk, its byte budget, and its errors.
 *
 * `steps[0..level)` lead to the current value, and `ancestors[i]` is the container that `steps[i]` starts from.
 * If something throws, they are not unwound: they still name the position.
 */
export abstract class PayloadTrail {
  protected readonly steps: PathStep[] = [];
  protected readonly ancestors: object[] = [];
  protected level: number;
  /** The first level at which a container is rejected. */
  protected readonly tooDeep: number;
  /** The bytes that are left. */
  protected room: number;
  private rejection: PayloadError | null = null;

  constructor(
    private readonly root: PayloadRoot,
    private readonly maxBytes: number,
  ) {
    this.room = maxBytes;
    // The list of arguments is a level that the user did not create.
    this.level = root === 'args' ? 1 : 0;
    this.tooDeep = this.level + MAX_DEPTH;
  }

  /** @param container The level of the innermost container that is being copied. */
  protected spend(bytes: number, container = this.level - 1): void {
    this.room -= bytes;
    if (this.room < 0) this.rejectSize(container);
  }

  protected spendText(text: string): void {
    // Each character takes at least one byte, so a text that is too long need not be measured.
    this.spend(text.length > this.room ? text.length : utf8Bytes(text));
  }

  private rejectSize(container: number): never {
    this.rejectCycle(container);
    const all = this.root === 'args' ? 'the arguments take' : `the ${this.root} takes`;
    const hasOption = this.root === 'args' || this.root === 'result';
    this.reject(
      `with this value, ${all} more than ${this.maxBytes} bytes; ` +
        `pass a reference, such as an id or the name of a file${hasOption ? ', or raise maxPayloadBytes' : ''}`,
    );
  }

  protected rejectDepth(): never {
    this.rejectCycle(this.level);
    this.reject(
      `the value is nested deeper than ${MAX_DEPTH} levels; pass a flatter structure, such as a list of nodes`,
    );
  }

  /**
   * A walk around a cycle always reaches the limit of depth or of size. So only then is it worth checking
   * whether a container is among its own ancestors.
   */
  private rejectCycle(last: number): void {
    const first = new Map<object, number>();
    for (let at = 0; at <= last; at++) {
      const ancestor = this.ancestors[at] as object;
      const start = first.get(ancestor);
      if (start !== undefined) {
        this.level = at;
        this.reject(
          `the value refers back to itself (it is ${this.pathTo(start)}, which contains it); ` +
            'pass an id instead of the object',
        );
      }
      first.set(ancestor, at);
    }
  }

  protected rejectIf(problem: string | null | undefined): void {
    if (typeof problem === 'string') this.reject(problem);
  }

  protected reject(problem: string, cause?: unknown): never {
    this.rejection = new PayloadError(
      this.pathTo(this.level),
      problem,
      cause === undefined ? undefined : { cause },
    );
    throw this.rejection;
  }

  /** The error of a walk. An error that the user's own code has thrown becomes the cause. */
  protected explained(error: unknown): PayloadError {
    return this.rejection !== null && error === this.rejection
      ? this.rejection
      : new PayloadError(this.pathTo(this.level), `reading the value threw: ${messageOf(error)}`, {
          cause: error,
        });
  }

  private pathTo(level: number): string {
    return formatPath(this.root, this.steps.slice(0, level));
  }
}

/** The path as a user would write it: `args[0].user["first name"]`. The middle of a long path is left out. */
function formatPath(root: string, steps: readonly PathStep[]): string {
  const parts = steps.map(formatStep);
  if (parts.length > MAX_STEPS)
    parts.splice(STEPS_AT_START, parts.length - STEPS_AT_START - STEPS_AT_END, ' … ');
  return root + parts.join('');
}

function formatStep(step: PathStep): string {
  if (typeof step === 'number') return `[${step}]`;
  if (step instanceof EntryStep)
    return step.part === 'values' && typeof step.key === 'string'
      ? `.get(${quote(step.key)})`
      : `.${step.part}()[${step.index}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) && step.length <= LONGEST_KEY
    ? `.${step}`
    : `[${quote(step)}]`;
}

function quote(key: string): string {
  return JSON.stringify(key.length > LONGEST_KEY ? `${key.slice(0, LONGEST_KEY)}…` : key);
}
