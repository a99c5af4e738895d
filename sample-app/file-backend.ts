import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  deserializeResult,
  ResultBackend,
  ResultNotFoundError,
  serializeResult,
  type TaskResult,
  TaskTimeoutError,
  type WaitOptions,
} from 'flowrra';

/** Keeps each result in a file of its own, for example to archive them. */
export class FileBackend extends ResultBackend {
  constructor(private readonly folder: string) {
    super();
  }

  async store(taskId: string, result: TaskResult): Promise<void> {
    const file = this.fileOf(taskId);
    await writeFile(`${file}.new`, serializeResult(result));
    await rename(`${file}.new`, file);
  }

  async get(taskId: string) {
    const text = await readFile(this.fileOf(taskId), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return text === null ? null : deserializeResult(text);
  }

  async waitFor(taskId: string, { timeout = Infinity, signal }: WaitOptions = {}): Promise<TaskResult> {
    for (const deadline = Date.now() + timeout; ; await pause(20)) {
      signal?.throwIfAborted();
      const result = await this.get(taskId);
      if (result === null) throw new ResultNotFoundError(`There is no result of '${taskId}'.`);
      if (result.isComplete) return result;
      if (Date.now() >= deadline) throw new TaskTimeoutError(`'${taskId}' took longer than ${timeout} ms.`);
    }
  }

  /** An id of your own may contain characters that a file name must not contain. */
  private fileOf(taskId: string): string {
    return join(this.folder, createHash('sha256').update(taskId).digest('hex'));
  }
}
