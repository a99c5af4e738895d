import { wrong } from '../../job/check.js';
import type { Clock } from '../../job/clock.js';
import { checkStepName, resolveEachOptions } from '../../job/durable-options.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { payloadFromJson, payloadToJson } from '../../job/payload/payload-text.js';
import type { EachPosition, EachSource } from './durable-calls.js';

/** The longest work of an `each` whose position is not stored. */
const STORE_MS = 1_000;

export interface EachParts {
  readonly codec: PayloadCodec;
  readonly clock: Clock;
  /** Finds the position that an earlier attempt has stored. */
  open(name: string): Promise<EachPosition>;
}

/** The items of a source after the stored position. The method has finished an item when it asks for the next one. */
export async function* eachItems(
  name: string,
  source: EachSource,
  options: unknown,
  parts: EachParts,
): AsyncIterable<unknown> {
  checkStepName(name, 'ctx.each() name');
  if (typeof source !== 'function') throw wrong('ctx.each() source', source, 'It must be a function.');
  const resolved = resolveEachOptions(options ?? {});
  const position = await parts.open(name);
  if (position.isDone) return;
  try {
    yield* itemsAfter(position, source, resolved, parts);
  } finally {
    await position.end();
  }
}

async function* itemsAfter(
  position: EachPosition,
  source: EachSource,
  { cursor, every = Infinity }: ReturnType<typeof resolveEachOptions>,
  { codec, clock }: EachParts,
): AsyncIterable<unknown> {
  let [items, storedItems, storedAt] = [position.items, position.items, clock.now()];
  let reached: unknown = position.cursor;
  const after = reached === undefined ? [] : [payloadFromJson(reached)];
  const list = await position.active(async () => source(...(after as never[])));
  const iterator = Symbol.asyncIterator in list ? list[Symbol.asyncIterator]() : list[Symbol.iterator]();
  try {
    for (;;) {
      const next = await position.active(async () => iterator.next());
      if (next.done === true) break;
      yield next.value;
      reached = payloadToJson(codec.copyProgress(cursor(next.value)));
      items++;
      if (items - storedItems < every && clock.now() - storedAt < STORE_MS) continue;
      await position.store(items, reached, false);
      [storedItems, storedAt] = [items, clock.now()];
    }
  } finally {
    await iterator.return?.();
  }
  await position.store(items, reached, true);
}
