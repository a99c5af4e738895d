import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata';
import {
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { ContextIdFactory, ModuleRef, ModulesContainer, REQUEST } from '@nestjs/core';
import { Injector } from '@nestjs/core/injector/injector.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { Test, type TestingModule } from '@nestjs/testing';
import * as internals from '../../lib/nest/nest-internals.js';

/** Each test names the member of Nest that lib/nest/nest-internals.ts needs, and that has changed if it fails. */
const LIB = join(import.meta.dirname, '../../lib');

class Guard {}

@UseGuards(Guard)
@UseInterceptors(Guard as never)
@UsePipes(Guard as never)
@UseFilters(Guard as never)
class Bound {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  constructor(@Inject(REQUEST) readonly request: object) {}
}

@Injectable()
class Shared {
  @Inject(ModuleRef) readonly moduleRef: ModuleRef | undefined;
}

@Module({ providers: [PerRequest, Shared] })
class First {}

@Module({})
class Last {}

@Module({ imports: [First, Last] })
class App {}

let app: TestingModule;
let modules: ModulesContainer;

beforeAll(async () => {
  app = await Test.createTestingModule({ imports: [App] }).compile();
  modules = app.get(ModulesContainer);
});

afterAll(() => app.close());

function placeOf(type: new (...args: never[]) => object): internals.ProviderPlace {
  const module = internals.moduleOf(modules, First);
  const wrapper = module.providers.get(type);
  if (wrapper === undefined) throw new Error(`Module.providers has no ${type.name}.`);
  return { wrapper, module, controller: false, prototype: type.prototype as object };
}

it('only nest-internals.ts imports files of Nest', () => {
  const importers = readdirSync(LIB, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => /from '@nestjs\/\w+\/.+'/.test(readFileSync(join(LIB, file), 'utf8')));
  expect(importers).toEqual(['nest/nest-internals.ts']);
});

it.each<[{ readonly name: string; readonly prototype: object }, string[]]>([
  [internals.RuntimeException, []],
  [internals.GuardsConsumer, ['tryActivate']],
  [internals.InterceptorsConsumer, ['intercept']],
  [internals.GuardsContextCreator, ['create']],
  [internals.InterceptorsContextCreator, ['create']],
  [internals.PipesContextCreator, ['create']],
  [internals.ExternalExceptionFilterContext, ['create']],
  [internals.ExecutionContextHost, ['setType', 'getArgs', 'getType']],
])('Nest has %p with %j', (type, methods) => {
  for (const method of methods)
    expect([method, typeof Reflect.get(type.prototype, method)]).toEqual([method, 'function']);
});

it.each(['loadPerContext', 'loadEnhancersPerContext'])('Injector has the method %s', (method) => {
  expect(typeof Reflect.get(Injector.prototype, method)).toBe('function');
});

it('the enhancer decorators set the metadata keys of ENHANCER_METADATA', () => {
  const keys = Reflect.getMetadataKeys(Bound).filter((key) => String(key).startsWith('__'));
  expect(keys.sort()).toEqual(Object.keys(internals.ENHANCER_METADATA).sort());
});

it('the compiler and @Inject() set the metadata keys of injected dependencies', () => {
  expect(Reflect.getMetadata(internals.INJECTED_PARAMETERS, PerRequest)).toHaveLength(1);
  expect(Reflect.getMetadata(internals.INJECTED_PROPERTIES, Shared)).toHaveLength(1);
});

it('ExternalContextCreator has the container', () => {
  const container = internals.containerOf(app.get(internals.ExternalContextCreator));
  expect(container.getModules()).toBe(modules);
  expect(() => internals.containerOf({} as never)).toThrow('Flowrra needs Nest 11 or 12.');
});

it('Module.distance orders the hooks', () => {
  expect(internals.moduleOf(modules, First).distance).toBeGreaterThan(0);
  internals.orderHooks(modules, First, Last);
  expect(internals.moduleOf(modules, First).distance).toBe(Infinity);
  expect(internals.moduleOf(modules, Last).distance).toBe(-Infinity);
  expect(() => internals.moduleOf(modules, Guard)).toThrow('Guard was not found');
});

it('InstanceWrapper knows whether an instance is shared', () => {
  expect(internals.isShared(placeOf(Shared).wrapper)).toBe(true);
  expect(internals.isShared(placeOf(PerRequest).wrapper)).toBe(false);
});

it('a context has an instance of its own, with the request that started it', async () => {
  const place = placeOf(PerRequest);
  const request = {};
  const contextId = internals.startContext(place, request);
  const instance = (await internals.createInContext(place, contextId)) as PerRequest;
  expect(instance).toBeInstanceOf(PerRequest);
  expect(instance.request).toBe(request);
  expect(Reflect.get(request, REQUEST_CONTEXT_ID)).toBe(contextId);
  expect(ContextIdFactory.getByRequest(request)).toBe(contextId);
});
