/** Where a thread finds the code of a class that it makes an instance of by itself. */
export interface ClassCode {
  /** A `file:` URL. */
  readonly file: string;
  readonly className: string;
  readonly method: string;
}

/** Where a thread finds a task's code, as data that crosses into it. Files are `file:` URLs. */
export type CpuTarget = (
  | ({ readonly kind: 'class' } & ClassCode)
  | { readonly kind: 'function'; readonly file: string; readonly export: string }
  /** By discovery in the thread's own Nest application. */
  | {
      readonly kind: 'module';
      readonly taskName: string;
      /** If the application does not provide the task; `null` for a class that needs injection. */
      readonly otherwise: ClassCode | null;
    }
) & { readonly contextIndex: number | null };
