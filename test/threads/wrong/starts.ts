import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, type FlowrraModuleOptions, FlowrraService } from 'flowrra';
import { ByProperty, Inheriting, NamedEntry, NamedFile, Priced, Rates, Subpriced } from './work.js';

const here = (file: string): URL => new URL(file, import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'flowrra-starts-'));

/** What the start says: `null` if nothing. */
async function start(
  options: FlowrraModuleOptions,
  providers: Type[] = [],
  then: (flowrra: FlowrraService) => void = () => undefined,
): Promise<unknown> {
  @Module({ imports: [FlowrraModule.forRoot(options)], providers })
  class App {}
  try {
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    try {
      then(app.get(FlowrraService));
    } finally {
      await app.close();
    }
    return null;
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return { code, message };
  }
}

const missing = { module: here('./nowhere.js') };
const answers = {
  missing: await start({ cpu: missing }),
  noExtension: await start({ cpu: { module: fileURLToPath(here('./cpu.module')) } }),
  folder: await start({ cpu: { module: here('.') } }),
  elsewhere: await start({ cpu: { module: 'file://elsewhere/cpu.module.js' } }).catch(String),
  entry: await start({ cpu: { module: import.meta.url } }),
  inline: await start({ cpu: { ...missing, mode: 'inline' } }),
  producer: await start({ cpu: missing, role: 'producer', engine: `sqlite:${folder}/jobs.db` }, [
    Rates,
    Priced,
  ]),
  parameters: await start({}, [Rates, Priced]),
  inheritedParameters: await start({}, [Rates, Subpriced]),
  properties: await start({}, [Rates, ByProperty]),
  inheritedTask: await start({}, [Inheriting]),
  namedFile: await start({}, [NamedFile]),
  namedEntry: await start({}, [NamedEntry]),
  registeredFile: await start({}, [], (flowrra) =>
    flowrra.register({ name: 'work', cpuBound: true, file: here('./nowhere.js') }, () => 1),
  ),
  registeredEntry: await start({}, [], (flowrra) =>
    flowrra.register({ name: 'work', cpuBound: true, file: import.meta.url }, () => 1),
  ),
};
rmSync(folder, { recursive: true });
console.log(JSON.stringify(answers));
