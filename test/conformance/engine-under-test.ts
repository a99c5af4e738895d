import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import type { Engine, FlowrraEvent, FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';
import { resolveEngine } from '../../lib/engine/resolve-engine.js';
import type { ScheduleStore } from '../../lib/engine/schedule-store.js';
import { FlowrraRuntime } from '../../lib/nest/flowrra.runtime.js';
import { startApp } from '../support/app.js';
import { hostWithoutRuns } from '../support/engine-host.js';
import { ManualClock, PROMISES, type World } from '../support/manual-clock.js';

/** A feature that an engine does not have. The suite skips its cases, and checks that settings that need it are rejected. */
export type Limitation =
  /** Jobs are lost when the process ends. */
  | 'keep jobs'
  /** Only one process at a time can use a storage. */
  | 'share jobs'
  /** `fleetConcurrency` and `fleetRateLimit` */
  | 'limit the fleet'
  /** `@Cron()`, `@Interval()` and `flowrra.schedules` */
  | 'schedule'
  | 'journal';

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
  /** How another process makes the engine, if the storage is shared: a function of a module, and its options. */
  elsewhere?(storage: string): { readonly from: string; readonly create: string; readonly options: object };
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

/** A connection to the engine under test, without an application. It runs no jobs. */
export interface Connection extends Pick<Bed, 'clock' | 'storage'> {
  readonly schedules: ScheduleStore;
  close(): Promise<void>;
}

/** Starts applications on one engine, and closes after each test whatever it started. */
export class Beds {
  private readonly open: Bed[] = [];
  private readonly connections: Connection[] = [];
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

  /** @param beside A connection whose storage and time the new one shares. */
  async connect(beside?: Pick<Bed, 'clock' | 'storage'>): Promise<Connection> {
    const { clock, storage } = beside ?? this.place();
    this.engine.live?.(clock);
    const engine = await resolveEngine(this.engine.create(storage));
    const connected = await engine.connect(hostWithoutRuns(clock));
    if (connected.schedules === undefined) throw new Error('The engine keeps no schedules.');
    let closing: Promise<void> | null = null;
    const close = (): Promise<void> => (closing ??= Promise.resolve(connected.close()));
    const connection: Connection = { clock, storage, schedules: connected.schedules, close };
    this.connections.push(connection);
    return connection;
  }

  /** A time and a storage for one test. */
  private place(): Pick<Bed, 'clock' | 'storage'> {
    const storage = `storage-${this.storages++}`;
    const world = this.engine.world?.(storage) ?? PROMISES;
    const whole: World = {
      ...world,
      settle: async () => {
        for (const bed of this.open) if (bed.storage === storage) await scheduling(bed);
        await world.settle();
      },
      nextDue: () => world.nextDue(),
    };
    return { storage, clock: new ManualClock(whole) };
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
    const connections = this.connections.splice(0);
    for (const { close } of connections) await close();
    for (const { clock } of [...open, ...connections]) expect(clock.armed).toBe(0);
  }
}

/** Resolves when an application handles no occurrence of a schedule. */
async function scheduling({ app }: Bed): Promise<void> {
  const runtime = app.get(FlowrraRuntime, { strict: false });
  if (runtime.isRunning && (await runtime.loadEngine()).supports.has('schedules'))
    await runtime.parts.schedules.idle();
}

/** What has been told of a job. That it was submitted comes first: an attempt may start before its submitter hears of that. */
export function types(events: readonly FlowrraEvent[], taskId: string): string[] {
  const told = events.filter((event) => event.taskId === taskId).map((event) => event.type);
  const isSubmitted = (type: string): boolean => type === 'submitted';
  return [...told.filter(isSubmitted), ...told.filter((type) => !isSubmitted(type))];
}
