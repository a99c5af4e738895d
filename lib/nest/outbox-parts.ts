import { FlowrraConfigError } from '../job/errors.js';
import type { ConnectedOutbox, Outbox, OutboxHost, TransactionSink } from '../outbox/connected-outbox.js';
import type { Submitter } from '../run/submitter.js';

/** Submissions in a transaction. */
export interface WithinTransaction extends Pick<TransactionSink, 'isSync' | 'library'> {
  readonly submitter: Submitter;
}

/** The outbox of the application, if it has one, and the submissions in transactions. */
export class OutboxParts {
  /** @param submitterOf A submitter whose jobs are written into a transaction. */
  constructor(
    private readonly outbox: ConnectedOutbox | null,
    private readonly plain: Submitter,
    private readonly submitterOf: (sink: TransactionSink) => Submitter,
  ) {}

  /** Whether the application has an outbox. */
  get isConfigured(): boolean {
    return this.outbox !== null;
  }

  /** Of the transaction of the calling code, if it runs in one that the outbox knows. */
  get submitter(): Submitter {
    const joined = this.outbox?.joined();
    return joined ? this.submitterOf(joined) : this.plain;
  }

  /** @throws {FlowrraConfigError} unless it is a transaction of the outbox's database. */
  within(transaction: unknown): WithinTransaction {
    const place = 'flowrra.within()';
    const sink = this.require(place).within(transaction, place);
    return { submitter: this.submitterOf(sink), isSync: sink.isSync, library: sink.library };
  }

  /**
   * @param place The call that needs the outbox, for the error.
   * @throws {FlowrraConfigError} if there is none.
   */
  require(place: string): ConnectedOutbox {
    if (this.outbox !== null) return this.outbox;
    throw new FlowrraConfigError(
      `${place}: there is no outbox. Give one: forRoot({ outbox: outbox({ database: pool }) }), with outbox of flowrra/outbox.`,
    );
  }

  start(): void {
    this.outbox?.start();
  }

  async stop(): Promise<void> {
    await this.outbox?.stop();
  }
}

/** Connects the outbox of the options. If it cannot be connected, the engine is closed. */
export async function connectOutbox(
  outbox: Outbox | null,
  host: OutboxHost,
): Promise<ConnectedOutbox | null> {
  try {
    return outbox && (await outbox.connect(host));
  } catch (error) {
    await host.engine.close();
    throw error;
  }
}
