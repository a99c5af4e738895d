/** Types of Node.js 20, the lowest version for Flowrra, lack this module. */
declare module 'node:sqlite' {
  export class DatabaseSync {
    constructor(file: string);
    exec(sql: string): void;
    prepare(sql: string): { run(...values: (string | number | null)[]): unknown };
    close(): void;
  }
}
