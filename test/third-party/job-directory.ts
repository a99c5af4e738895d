import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from 'flowrra';
import {
  type Dedupe,
  type JobRow,
  type LogLine,
  payloadFromText,
  payloadToText,
  type PolicyOverrides,
} from 'flowrra/engine';

/** A job as its file contains it. */
export interface StoredJob extends JobRow {
  readonly args: readonly unknown[];
  readonly logs: readonly LogLine[];
  readonly overrides: PolicyOverrides | undefined;
  readonly dedupe: Dedupe | undefined;
  /** Its position among jobs of the same priority; lower runs first. */
  readonly order: number;
  /** How often the process has died while the job ran. */
  readonly deaths: number;
}

const JOB_FILE = /^(\d+)\.json$/;

/**
 * One directory with one JSON file for each job, which one process uses at a time. A rename commits a write, so a
 * crash of the process leaves either the old file or the new one. A power failure may lose the last writes.
 */
export class JobDirectory {
  /** @throws {EngineError} if another process uses the directory, or it cannot be created. */
  constructor(private readonly path: string) {
    stored(`The job directory ${path} cannot be opened`, () => mkdirSync(path, { recursive: true }));
    this.lock();
  }

  /** All jobs with the numbers of their files, in ascending order. */
  *jobs(): Generator<[number, StoredJob]> {
    const numbers: number[] = [];
    for (const name of readdirSync(this.path)) {
      const [, number] = JOB_FILE.exec(name) ?? [];
      if (number !== undefined) numbers.push(Number(number));
      else if (name.endsWith('.tmp')) rmSync(join(this.path, name));
    }
    for (const number of numbers.sort((a, b) => a - b)) yield [number, this.read(number)];
  }

  /** A fresh copy of a job. */
  read(number: number): StoredJob {
    const file = this.fileOf(number);
    return stored(`The job file ${file} cannot be read`, () =>
      payloadFromText(readFileSync(file, 'utf8')),
    ) as StoredJob;
  }

  write(number: number, job: StoredJob): void {
    this.replace(this.fileOf(number), payloadToText(job));
  }

  remove(number: number): void {
    const file = this.fileOf(number);
    stored(`The job file ${file} cannot be removed`, () => rmSync(file, { force: true }));
  }

  readPaused(): string[] {
    try {
      return JSON.parse(readFileSync(join(this.path, 'paused'), 'utf8')) as string[];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new EngineError(`The names of the paused queues in ${this.path} cannot be read`, {
        cause: error,
      });
    }
  }

  writePaused(queues: readonly string[]): void {
    this.replace(join(this.path, 'paused'), JSON.stringify(queues));
  }

  /** Lets another process use the directory. */
  close(): void {
    rmSync(join(this.path, 'lock'), { force: true });
  }

  private replace(file: string, text: string): void {
    stored(`${file} cannot be written`, () => {
      writeFileSync(`${file}.tmp`, text);
      renameSync(`${file}.tmp`, file);
    });
  }

  private lock(): void {
    const file = join(this.path, 'lock');
    const pid = String(process.pid);
    stored(`The job directory ${this.path} cannot be locked`, () => {
      if (!existsSync(file)) return writeFileSync(file, pid, { flag: 'wx' });
      const owner = Number(readFileSync(file, 'utf8'));
      if (isAlive(owner))
        throw new Error(`the process ${owner} uses it. Give each process its own directory`);
      writeFileSync(file, pid);
    });
  }

  private fileOf(number: number): string {
    return join(this.path, `${number}.json`);
  }
}

/** Runs an operation of the file system. */
function stored<T>(problem: string, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError(`${problem}: ${reason}`, { cause });
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
