import { randomBytes } from 'node:crypto';
import { FlowrraConfigError } from '../job/errors.js';
import { checkStepName } from '../job/durable-options.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import { payloadFromText, payloadToText } from '../job/payload/payload-text.js';
import { showValue } from '../job/show-value.js';
import type { SqlRow } from '../engine/sql-connection.js';
import type { KnownConnection } from './connection/sql-connection.js';
import type { Statements } from './sql/statements.js';

/** The longest time that a database can add to another one: a few hundred thousand years. */
const FOREVER_MS = 1e16;

/** Blocks of code that take effect once for each job: each leaves a row in the transaction of its effects. */
export class OnceBlocks {
  /** @param keepMs How long a row is kept before it is checked whether its job is still known. */
  constructor(
    private readonly statements: Statements,
    private readonly codec: PayloadCodec,
    private readonly keepMs: number,
  ) {}

  async run(tx: KnownConnection, taskId: string, name: string, fn: () => unknown): Promise<unknown> {
    const block = this.block(taskId, name);
    if (!block.isEntered(await tx.run(this.statements.enterOnce, block.entry))) {
      const found = block.result(await tx.run(this.statements.readOnce, block.key));
      if (found !== null) return found.value;
    }
    const { value, text } = this.stored(await fn());
    if (text !== null) await tx.run(this.statements.storeOnce, [text, ...block.key]);
    return value;
  }

  runSync(tx: KnownConnection, taskId: string, name: string, fn: () => unknown): unknown {
    const block = this.block(taskId, name);
    if (!block.isEntered(rowsOf(tx, tx.run(this.statements.enterOnce, block.entry)))) {
      const found = block.result(rowsOf(tx, tx.run(this.statements.readOnce, block.key)));
      if (found !== null) return found.value;
    }
    const returned = fn();
    if (typeof (returned as { then?: unknown } | null | undefined)?.then === 'function')
      throw new FlowrraConfigError(
        `onceSync(): the block '${name}' returned a promise, ${showValue(returned)}. A transaction of ${tx.library} ends before the promise does. Give a function that is not async.`,
      );
    const { value, text } = this.stored(returned);
    if (text !== null) rowsOf(tx, tx.run(this.statements.storeOnce, [text, ...block.key]));
    return value;
  }

  private block(taskId: string, given: string) {
    const name = checkStepName(given, 'once() name');
    const claim = randomBytes(12).toString('base64url');
    const keep = Math.min(this.keepMs, FOREVER_MS);
    return {
      key: [taskId, name],
      entry: [taskId, name, claim, keep],
      /** Whether the new row was returned, which MySQL does not do. */
      isEntered: ([row]: readonly SqlRow[]): boolean => row?.claim === claim,
      /** The result of an earlier attempt; `null` if this one is the first. */
      result([row]: readonly SqlRow[]): { readonly value: unknown } | null {
        if (row === undefined || row.claim === claim) return null;
        return { value: typeof row.result === 'string' ? payloadFromText(row.result) : undefined };
      },
    };
  }

  private stored(returned: unknown): { readonly value: unknown; readonly text: string | null } {
    if (returned === undefined) return { value: undefined, text: null };
    const value = this.codec.copyResult(returned);
    return { value, text: payloadToText(value) };
  }
}

function rowsOf({ library }: KnownConnection, answer: unknown): readonly SqlRow[] {
  if (Array.isArray(answer)) return answer as SqlRow[];
  throw new FlowrraConfigError(
    `${library} is asynchronous: use once() and submit() with it, not onceSync() and submitSync().`,
  );
}
