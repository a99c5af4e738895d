// sample-app/workflows/word-count.tasks.ts
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from 'flowrra';

export type Counts = Readonly<Record<string, number>>;

@Injectable()
export class WordCountTasks {
  /** One child job for each file, on any worker; then the counts are added up. */
  @Task()
  async ofFolder(folder: string, @TaskCtx() ctx: TaskContext): Promise<Counts> {
    const files = await ctx.step('list', async () => (await readdir(folder)).sort());
    const counts = await Promise.all(
      files.map((file) => ctx.with({ key: file }).call(this.ofFile, join(folder, file))),
    );
    const sum: Record<string, number> = {};
    for (const each of counts)
      for (const [word, count] of Object.entries(each)) sum[word] = (sum[word] ?? 0) + count;
    return sum;
  }

  @Task({ queue: 'imports' })
  async ofFile(file: string): Promise<Counts> {
    const counts: Record<string, number> = {};
    for (const word of (await readFile(file, 'utf8')).match(/\w+/g) ?? [])
      counts[word] = (counts[word] ?? 0) + 1;
    return counts;
  }
}
