/** A promise that a test settles by hand. */
export class Gate<T = void> {
  open!: (value: T) => void;
  fail!: (error: unknown) => void;
  readonly passed = new Promise<T>((resolve, reject) => {
    this.open = resolve;
    this.fail = reject;
  });
}
