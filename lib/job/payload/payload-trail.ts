import { PayloadError } from '../errors.js';
import { type PathStep, formatPath } from './payload-path.js';
import { messageOf } from './payload-refusal.js';
import { utf8Bytes } from './payload-size.js';

const DEEPEST = 500;

/** What is copied, as errors call it. */
export type PayloadRoot = 'args' | 'result' | 'metadata' | 'context' | 'progress';

/**
 * Where a walk stands, what it may still spend, and how it refuses.
 *
 * `steps[0..level)` lead to the value at hand, and `ancestors[i]` is the container that `steps[i]`
 * starts from. They are not unwound when something throws: they still say where it was.
 */
export abstract class PayloadTrail {
  protected readonly steps: PathStep[] = [];
  protected readonly ancestors: object[] = [];
  protected level: number;
  /** The first level at which no container may stand. */
  protected readonly tooDeep: number;
  protected room: number;
  private refusal: PayloadError | null = null;

  constructor(
    private readonly root: PayloadRoot,
    private readonly maxBytes: number,
  ) {
    this.room = maxBytes;
    // The list of the arguments is no nesting of the user's: it stands a level above them.
    this.level = root === 'args' ? 1 : 0;
    this.tooDeep = this.level + DEEPEST;
  }

  /** @param container The level of the innermost container that is being copied. */
  protected spend(bytes: number, container = this.level - 1): void {
    this.room -= bytes;
    if (this.room < 0) this.refuseSize(container);
  }

  protected spendText(text: string): void {
    // A character takes a byte at least: what is too long already need not be measured.
    this.spend(text.length > this.room ? text.length : utf8Bytes(text));
  }

  private refuseSize(container: number): never {
    this.refuseCycle(container);
    const all = this.root === 'args' ? 'the arguments take' : `the ${this.root} takes`;
    this.refuse(
      `with this value, ${all} more than ${this.maxBytes} bytes; ` +
        `pass a reference, such as an id or the name of a file${isBoundedByOption(this.root) ? ', or raise maxPayloadBytes' : ''}`,
    );
  }

  protected refuseDepth(): never {
    this.refuseCycle(this.level);
    this.refuse(
      `the value is nested deeper than ${DEEPEST} levels; pass a flatter structure, such as a list of nodes`,
    );
  }

  /**
   * A walk along a cycle ends by depth or size alone, since the walk leaves no container on the way
   * round. Only then it is worth finding out that a container stands among its own ancestors.
   */
  private refuseCycle(last: number): void {
    const first = new Map<object, number>();
    for (let at = 0; at <= last; at++) {
      const ancestor = this.ancestors[at] as object;
      const start = first.get(ancestor);
      if (start !== undefined) {
        this.level = at;
        this.refuse(
          `the value refers back to itself (it is ${this.pathTo(start)}, which contains it); ` +
            'pass an id instead of the object',
        );
      }
      first.set(ancestor, at);
    }
  }

  protected refuseIf(problem: string | null): void {
    if (problem !== null) this.refuse(problem);
  }

  protected refuse(problem: string, cause?: unknown): never {
    this.refusal = new PayloadError(this.path(), problem, cause === undefined ? undefined : { cause });
    throw this.refusal;
  }

  /** What was thrown may come from the user's own code: then it is the cause. */
  protected explained(error: unknown): PayloadError {
    return this.refusal !== null && error === this.refusal
      ? this.refusal
      : new PayloadError(this.path(), `reading the value threw: ${messageOf(error)}`, { cause: error });
  }

  private path(): string {
    return this.pathTo(this.level);
  }

  private pathTo(level: number): string {
    return formatPath(this.root, this.steps.slice(0, level));
  }
}

function isBoundedByOption(root: PayloadRoot): boolean {
  return root === 'args' || root === 'result';
}
