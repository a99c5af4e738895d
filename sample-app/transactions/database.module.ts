import {
  type DynamicModule,
  Global,
  type InjectionToken,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';

/** The URL of the database; the path of the file for SQLite. */
export const databaseUrl = (): string => process.env['DATABASE_URL'] ?? '';

/** The URL of the engine, which may be another server than the database. */
export const engine = process.env['FLOWRRA_ENGINE'] ?? 'memory:';

/** Stands in for the module of an application that provides its database to all other modules. */
export function databaseModule<T>(
  token: InjectionToken<T>,
  open: () => T | Promise<T>,
  close: (database: T) => unknown,
): DynamicModule {
  const closer = Symbol('closes the database');

  @Global()
  @Module({})
  class DatabaseModule {}

  return {
    module: DatabaseModule,
    providers: [
      { provide: token, useFactory: open },
      {
        provide: closer,
        inject: [token],
        useFactory: (database: T): OnApplicationShutdown => ({
          onApplicationShutdown: async () => void (await close(database)),
        }),
      },
    ],
    exports: [token],
  };
}
