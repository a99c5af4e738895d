import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import type { Engine, FlowrraEvent, FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { ManualClock, type World } from '../support/manual-clock.js';

/** A feature that an engine does not have. The suite skips its cases, and checks that settings that need it are rejected. */
export type Limitation =
  /** Jobs are lost when the process ends. */
  | 'keep jobs'
  /** Only one process at a time can use a storage. */
  | 'share jobs'
  /** `fleetConcurrency` and `fleetRateLimit` */
  | 'limit the fleet';

/** One engine, as the conformance suite sees it. */
export interface EngineUnderTest {
  /** The folder below `lib/engine`, or below `test` for an engine that is no part of the library. */
  readonly folder: string;
  /** A new engine. Those that are made with the same name share their storage. */
  create(storage: string): Engine | string;
  /** Virtual time where the engine lives by the injected clock. */
  readonly clock: 'virtual';
  readonly cannot: readonly Limitation[];
  /** What happens to a storage outside this process. Default: nothing. */
  world?(storage: string): World;
  /** For an engine that reads the system's clock: sets it. */
  live?(clock: ManualClock): void;
}

/** A started application on the engine under test. */
export interface Bed {
  readonly app: INestApplicationContext;
  readonly flowrra: FlowrraService;
  readonly clock: ManualClock;
  /** Everything that has happened, as `type taskName#attempt`. */
  readonly seen: FlowrraEvent[];
  readonly storage: string;
  /** Lets time pass, and everything that comes due in it happen. */
  advance(ms: number): Promise<void>;
}

/** Starts applications on one engine, and closes after each test whatever it started. */
export class Beds {
  private readonly open: Bed[] = [];
  private storages = 0;

  constructor(private readonly engine: EngineUnderTest) {}

  /** @param beside An application whose storage and time the new one shares. */
  async start(
    providers: NonNullable<ModuleMetadata['providers']>,
    options: FlowrraModuleOptions = {},
    beside?: Pick<Bed, 'clock' | 'storage'>,
  ): Promise<Bed> {
    const { clock, storage } = beside ?? this.place();
    this.engine.live?.(clock);
    const { app, flowrra } = await startApp(
      { engine: this.engine.create(storage), clock, ...options },
      { providers },
    );
    const seen: FlowrraEvent[] = [];
    flowrra.events$.subscribe((event) => seen.push(event));
    const bed: Bed = { app, flowrra, clock, seen, storage, advance: (ms) => clock.advance(ms) };
    this.open.push(bed);
    return bed;
  }

  /** A time and a storage for one test. */
  private place(): Pick<Bed, 'clock' | 'storage'> {
    const storage = `storage-${this.storages++}`;
    return { storage, clock: new ManualClock(this.engine.world?.(storage)) };
  }

  /** Ends every application at once, however much of its work is left. */
  async closeAll(): Promise<void> {
    const open = this.open.splice(0);
    for (const { app, flowrra, clock } of open) {
      const stopped = flowrra.stop({ wait: false });
      await clock.advance(60_000);
      await stopped;
      await app.close();
    }
    for (const { clock } of open) expect(clock.armed).toBe(0);
  }
}

/** What has been told of a job. That it was submitted comes first: an attempt may start before its submitter hears of that. */
export function types(events: readonly FlowrraEvent[], taskId: string): string[] {
  const told = events.filter((event) => event.taskId === taskId).map((event) => event.type);
  const isSubmitted = (type: string): boolean => type === 'submitted';
  return [...told.filter(isSubmitted), ...told.filter((type) => !isSubmitted(type))];
}
