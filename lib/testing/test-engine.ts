import type { Capability, ConnectedEngine, Engine, EngineHost } from '../engine/engine.js';
import { EmbeddedEngine } from '../engine/embedded/embedded-engine.js';
import type { JobStore, OpenStore } from '../engine/embedded/job-store.js';
import { MemoryStore } from '../engine/memory/memory-store.js';
import { type MaybePromise, whenDone } from '../job/async.js';
import { EMPTY_JOURNAL, type Journal } from '../job/journal/journal.js';
import type { Replays } from './replays.js';
import type { TestClock } from './test-clock.js';
import { type Recorded, TestConnection, type TestMode } from './test-connection.js';

/** A job that has run once inside its `submit` does not run again: 100 years, in milliseconds. */
const NEVER_MS = 3_155_760_000_000;

/** The engine of tests: the embedded engine over the memory store, driven by hand. */
export class TestEngine implements Engine {
  readonly name = 'memory';
  readonly durable = false;
  readonly supports: ReadonlySet<Capability>;
  readonly submitted: Recorded[] = [];
  /** Hands on the committed jobs of an outbox. Returns their number. */
  relay: () => Promise<number> = async () => 0;
  private readonly embedded: EmbeddedEngine;
  private connection: TestConnection | null = null;

  constructor(
    readonly mode: TestMode,
    private readonly clock: TestClock,
    private readonly replays: Replays | undefined,
  ) {
    const store = new MemoryStore();
    this.embedded = new EmbeddedEngine(this.name, mode === 'inline' ? withoutSecondRuns(store) : store);
    this.supports = this.embedded.supports;
  }

  async connect(host: EngineHost): Promise<ConnectedEngine> {
    const { embedded, mode, clock, submitted, replays } = this;
    const relay = (): Promise<number> => this.relay();
    this.connection = await TestConnection.open(embedded, host, mode, clock, submitted, replays, relay);
    return this.connection;
  }

  /**
   * Runs due jobs, the jobs that these submit, and so on, until no job is due and none runs. The clock moves over the
   * wake-ups of jobs with many messages: each at most a second.
   */
  async drainDue(): Promise<void> {
    const { connection, clock } = this;
    if (connection === null) return;
    for (;;) {
      await connection.drainDue();
      const wakeUp = this.mode === 'manual' ? (connection.journals?.nextWakeUp() ?? null) : null;
      if (wakeUp === null) return;
      await clock.advance(wakeUp - clock.now());
    }
  }

  /** The next time after now at which a job is due; `null` for none. */
  async nextDue(): Promise<number | null> {
    return this.connection?.nextDue() ?? null;
  }

  async journalOf(taskId: string): Promise<Journal> {
    return this.connection?.journals?.read(taskId) ?? EMPTY_JOURNAL;
  }
}

/** A store whose jobs never come due again after an attempt, except for suspended ones. */
function withoutSecondRuns(store: JobStore): JobStore {
  return {
    durable: store.durable,
    supports: store.supports,
    open: (config): MaybePromise<OpenStore> =>
      whenDone(store.open(config), (opened) => {
        const settle: OpenStore['settle'] = (attempt, outcome, now) => {
          const runsAgain = 'delay' in outcome && outcome.kind !== 'suspended';
          return opened.settle(attempt, runsAgain ? { ...outcome, delay: NEVER_MS } : outcome, now);
        };
        return Object.create(opened, { settle: { value: settle } }) as OpenStore;
      }),
  };
}
