export interface ServiceControls {
  /** Whether it was started here. Otherwise what follows throws: pass `own: true` to get one that can. */
  readonly own: boolean;
  readonly url: string;
  readonly port: number;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** The server stands still: connections stay open, and nothing answers. */
  pause(): void;
  resume(): void;
  /** Starts the server again, also after kill(): same port, same data (a Redis has some if it is durable). */
  restart(): Promise<void>;
}

export interface ServicesOptions {
  /** Default true. */
  redis?: boolean;
  /** Default true. */
  postgres?: boolean;
  /** Default false: few specs need it. */
  mariadb?: boolean;
  /** What was acknowledged outlives kill(), at the price of an fsync. Default false. */
  durable?: boolean;
  /** Private instances even if the environment names servers (FLOWRRA_TEST_…_URL). Default false. */
  own?: boolean;
  /** Redis in cluster mode, a single node without slots. Default false. */
  cluster?: boolean;
}

export interface Services<O extends ServicesOptions = object> {
  readonly redisUrl: O extends { redis: false } ? undefined : string;
  readonly postgresUrl: O extends { postgres: false } ? undefined : string;
  /** Its user has all rights, and no password; the database is `test`, shared by all specs. */
  readonly mariadbUrl: O extends { mariadb: true } ? string : undefined;
  readonly redis: O extends { redis: false } ? undefined : ServiceControls;
  readonly postgres: O extends { postgres: false } ? undefined : ServiceControls;
  readonly mariadb: O extends { mariadb: true } ? ServiceControls : undefined;
  /** Ends what was started here and removes its data. */
  stop(): Promise<void>;
}

export function startServices<const O extends ServicesOptions = object>(options?: O): Promise<Services<O>>;
