import { getPrismaClient, type GetPrismaClientConfig } from '@prisma/client/runtime/client';
import type { PrismaPg } from '@prisma/adapter-pg';

// Stands in for the client that `prisma generate` writes, so that the sample needs neither the command line of Prisma
// nor its engines.

const SCHEMA = `datasource db {
  provider = "postgresql"
}

model Order {
  id String @id

  @@map("orders")
}
`;

const COMPILER: string = '@prisma/client/runtime/query_compiler_fast_bg.postgresql';

interface Models {
  readonly order: { create(args: { data: { id: string } }): Promise<{ id: string }> };
}

/** As generated, for the model of the schema. */
export interface PrismaClient extends Models {
  $transaction<T>(work: (tx: Models) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

/** The constructor that Node.js has and its types lack. */
interface WebAssemblyGlobal {
  readonly WebAssembly: { readonly Module: new (bytes: Buffer) => unknown };
}

const config: GetPrismaClientConfig = {
  activeProvider: 'postgresql',
  clientVersion: '7',
  engineVersion: '7',
  previewFeatures: [],
  inlineSchema: SCHEMA,
  runtimeDataModel: {
    models: {
      Order: {
        dbName: 'orders',
        schema: null,
        fields: [
          {
            name: 'id',
            kind: 'scalar',
            isList: false,
            isRequired: true,
            isUnique: false,
            isId: true,
            isReadOnly: false,
            hasDefaultValue: false,
            type: 'String',
            isGenerated: false,
            isUpdatedAt: false,
          },
        ],
        primaryKey: null,
        uniqueFields: [],
        uniqueIndexes: [],
        isGenerated: false,
      },
    },
    enums: {},
    types: {},
  },
  // A graph without nodes: values are not taken out of queries.
  parameterizationSchema: { strings: [], graph: Buffer.alloc(64).toString('base64') },
  compilerWasm: {
    getRuntime: () => import(`${COMPILER}.mjs`),
    getQueryCompilerWasmModule: async () => {
      const { wasm } = (await import(`${COMPILER}.wasm-base64.mjs`)) as { wasm: string };
      const { WebAssembly } = globalThis as unknown as WebAssemblyGlobal;
      return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    },
    importName: './query_compiler_fast_bg.js',
  },
};

export const PrismaClient = getPrismaClient(config) as unknown as new (options: {
  adapter: PrismaPg;
}) => PrismaClient;
