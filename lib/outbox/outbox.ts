import { ConnectedOutbox } from './connected-outbox.js';
import type { OutboxHost } from './outbox-host.js';
import { OUTBOX_RULES, type OutboxOptions, type ResolvedOutbox } from './outbox-options.js';

/** The return value of `outbox()`, for `forRoot({ outbox })`. */
export class Outbox {
  constructor(private readonly options: ResolvedOutbox) {}

  /** Checks the database, and creates the tables if the options say so. */
  connect(host: OutboxHost): Promise<ConnectedOutbox> {
    return ConnectedOutbox.open(this.options, host);
  }
}

/**
 * Submissions in transactions of your database: `forRoot({ outbox: outbox({ database }) })`. Then
 * `flowrra.within(tx).submit(…)` stores a job with the commit of `tx`, and a relay hands it to the engine.
 *
 * @throws {FlowrraConfigError} if an option is unknown or invalid.
 */
export function outbox(options: OutboxOptions): Outbox {
  return new Outbox(OUTBOX_RULES.resolve(options, 'outbox()', ''));
}
