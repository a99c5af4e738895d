/** Tells any number of callbacks of an abort by one listener: at more than ten of them on a signal, Node warns of a leak. */
export class AbortListeners {
  private readonly bySignal = new WeakMap<AbortSignal, AbortListener>();

  /** Returns what undoes it. */
  add(signal: AbortSignal, aborted: () => void): () => void {
    let listener = this.bySignal.get(signal);
    if (listener === undefined) {
      listener = new AbortListener(signal, () => this.bySignal.delete(signal));
      this.bySignal.set(signal, listener);
    }
    return listener.add(aborted);
  }
}

/** The one listener on a signal, which it leaves with the last callback. */
class AbortListener {
  private readonly callbacks = new Set<() => void>();

  constructor(
    private readonly signal: AbortSignal,
    private readonly left: () => void,
  ) {
    signal.addEventListener('abort', this.tell, { once: true });
  }

  add(aborted: () => void): () => void {
    this.callbacks.add(aborted);
    return () => {
      if (!this.callbacks.delete(aborted) || this.callbacks.size > 0) return;
      this.signal.removeEventListener('abort', this.tell);
      this.left();
    };
  }

  private readonly tell = (): void => {
    for (const aborted of this.callbacks) aborted();
  };
}
