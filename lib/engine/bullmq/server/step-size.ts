/** The time that a step should take. It locks its jobs, which should last for at most 50 ms, also if a step is slow. */
const WANTED_MS = 25;
const FIRST = 50;
/** With fewer jobs, the fixed costs of a statement exceed those of its jobs. */
const MIN = 40;

/** The number of jobs that the next step of an operation reads. It follows the times of the steps before. */
export class StepSize {
  private size = FIRST;

  /** @param max The most jobs that a step reads. */
  constructor(private readonly max: number) {}

  get next(): number {
    return this.size;
  }

  /** A step has read this many jobs in this many milliseconds. One slow step halves the size at most. */
  took(jobs: number, ms: number): void {
    if (jobs < this.size && ms < WANTED_MS) return;
    const wanted = (this.size * WANTED_MS) / Math.max(ms, 1);
    const size = Math.round(Math.min(Math.max(wanted, this.size / 2), this.size * 1.5));
    this.size = Math.min(Math.max(size, MIN), this.max);
  }
}
