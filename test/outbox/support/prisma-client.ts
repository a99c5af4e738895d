import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import { getPrismaClient, type GetPrismaClientConfig } from '@prisma/client/runtime/client';
import type { SqlDialect } from '../../../lib/outbox/connection/sql-connection.js';

const PROVIDERS = { postgres: 'postgresql', mysql: 'mysql', sqlite: 'sqlite' } as const;

type PrismaClient = InstanceType<ReturnType<typeof getPrismaClient>>;

/** The constructor that Node.js has and its types lack. */
interface WebAssemblyGlobal {
  readonly WebAssembly: { readonly Module: new (bytes: Buffer) => unknown };
}

/**
 * A client for a schema without models, which is enough for SQL. `prisma generate` writes the same call into the client
 * that it generates; without it, the tests need neither the command line of Prisma nor the engine that it downloads.
 */
export function prismaClient(dialect: SqlDialect, url: string): PrismaClient {
  const Generated = getPrismaClient(configFor(PROVIDERS[dialect]));
  return new Generated({ adapter: adapterFor(dialect, url) });
}

function adapterFor(dialect: SqlDialect, url: string): PrismaPg | PrismaMariaDb | PrismaBetterSqlite3 {
  if (dialect === 'postgres') return new PrismaPg({ connectionString: url });
  if (dialect === 'mysql') return new PrismaMariaDb(url.replace(/^mysql:/, 'mariadb:'));
  return new PrismaBetterSqlite3({ url: `file:${url}` });
}

function configFor(activeProvider: (typeof PROVIDERS)[SqlDialect]): GetPrismaClientConfig {
  const compiler = `@prisma/client/runtime/query_compiler_fast_bg.${activeProvider}`;
  return {
    activeProvider,
    clientVersion: '7',
    engineVersion: '7',
    previewFeatures: [],
    inlineSchema: `datasource db {\n  provider = "${activeProvider}"\n}\n`,
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    // A graph without nodes.
    parameterizationSchema: { strings: [], graph: Buffer.alloc(64).toString('base64') },
    compilerWasm: {
      getRuntime: () => import(`${compiler}.mjs`),
      getQueryCompilerWasmModule: async () => {
        const { wasm } = (await import(`${compiler}.wasm-base64.mjs`)) as { wasm: string };
        const { WebAssembly } = globalThis as unknown as WebAssemblyGlobal;
        return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
      },
      importName: './query_compiler_fast_bg.js',
    },
  };
}
