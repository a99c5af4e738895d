import type { ConnectedOutbox, Outbox, OutboxHost } from './connected-outbox.js';
import { DatabaseOutbox } from './database-outbox.js';
import { OUTBOX_RULES, type OutboxOptions } from './outbox-options.js';

/**
 * An outbox in your database.
 *
 * Submissions in transactions of your database: `forRoot({ outbox: outbox({ database }) })`. Then
 * `flowrra.within(tx).submit(…)` stores a job with the commit of `tx`, and a relay hands it to the engine.
 *
 * @throws {FlowrraConfigError} if an option is unknown or invalid.
 */
export function outbox(options: OutboxOptions): Outbox {
  const resolved = OUTBOX_RULES.resolve(options, 'outbox()', 'outbox() ');
  return { connect: (host: OutboxHost): Promise<ConnectedOutbox> => DatabaseOutbox.open(resolved, host) };
}
