/**
 * Jobs that this process has cancelled, that the server had handed out, and that do not run here: they
 * may be on their way here, and are worth a look when they arrive. What takes longer than a round is
 * found by the CancelWatch.
 */
export class EarlyCancellations {
  private present = new Set<string>();
  private before = new Set<string>();

  add(taskId: string): void {
    this.present.add(taskId);
  }

  has(taskId: string): boolean {
    return this.present.has(taskId) || this.before.has(taskId);
  }

  /** Forgets those that are older than a round. */
  nextRound(): void {
    if (this.present.size + this.before.size === 0) return;
    this.before = this.present;
    this.present = new Set();
  }
}
