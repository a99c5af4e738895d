import { Injectable } from '@nestjs/common';
import { Task, TaskCtx } from '../../lib/index.js';
import type { TaskContext } from '../../lib/index.js';
import { startingApps } from './starting-apps.js';

const start = startingApps();

/** Its context's type is imported by `import type`, of which nothing is left at run time. */
@Injectable()
class Forgetful {
  @Task({ maxRetries: 0 })
  reads(_file: string, ctx: TaskContext): void {
    ctx.log('begun');
  }

  // As tsc notes the type, where it compiles whole programs.
  @Task({ maxRetries: 0 })
  @Reflect.metadata('design:paramtypes', [String, Function])
  noted(_file: string, ctx: TaskContext): void {
    ctx.log('begun');
  }

  @Task({ maxRetries: 0 })
  async destructures(_file: string, { signal }: TaskContext): Promise<void> {
    signal.throwIfAborted();
  }

  @Task({ maxRetries: 0 })
  remembers(file: { name?: { first: string } }, @TaskCtx() _ctx: TaskContext): string | undefined {
    return file.name!.first;
  }

  @Task({ maxRetries: 0 })
  complete(file: { name?: { first: string } }): string | undefined {
    return file.name!.first;
  }

  @Task({ maxRetries: 0 })
  optional(file: { name?: { first: string } }, _retries?: number): string | undefined {
    return file.name!.first;
  }
}

async function errorOf(method: keyof Forgetful, arg: unknown): Promise<string> {
  const { flowrra } = await start({ providers: [Forgetful] });
  const result = await flowrra.waitForResult(await flowrra.submit(`Forgetful.${method}`, arg));
  return result.error ?? '';
}

it.each(['reads', 'noted', 'destructures'] as const)(
  '%s: the error of the attempt leads to @TaskCtx()',
  async (key) => {
    const error = await errorOf(key, 'a.txt');
    expect(error).toMatch(/^TypeError: Cannot (read|destructure) property?.*undefined/);
    expect(error).toMatch(
      new RegExp(`Forgetful\\.${key} has 2 parameters and was given 1 arguments.*@TaskCtx\\(\\) ctx`),
    );
  },
);

it.each(['remembers', 'complete', 'optional'] as const)(
  '%s: another TypeError stays as it is',
  async (key) => {
    expect(await errorOf(key, {})).toBe("TypeError: Cannot read properties of undefined (reading 'first')");
  },
);
