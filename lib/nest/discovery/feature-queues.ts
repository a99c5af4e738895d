import { Inject, Module } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { FlowrraConfigError } from '../../job/errors.js';
import type { ResolvedQueue } from '../../job/queue.js';
import { OptionTable, type RulesOf } from '../../job/rules.js';
import { RESOLVED_OPTIONS } from '../options/module-options.js';
import {
  checkQueues,
  type DeclaredQueues,
  type FlowrraFeatureOptions,
  mergeFeatures,
} from '../options/queue-options.js';

/** Injection token of the options of one `forFeature()`. */
export const FEATURE_OPTIONS = Symbol('FLOWRRA_FEATURE_OPTIONS');

/** The module that `FlowrraModule.forFeature()` imports. It exports nothing: {@link featuresOf} reads its options. */
@Module({})
export class FlowrraFeatureModule {
  /** @throws {FlowrraConfigError} if the application does not import `FlowrraModule.forRoot()`. */
  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    if ([...modules.values()].some(({ providers }) => providers.has(RESOLVED_OPTIONS))) return;
    throw new FlowrraConfigError(
      'FlowrraModule.forFeature() is imported without FlowrraModule.forRoot(). Import forRoot() once, in the root module.',
    );
  }
}

const FEATURE_RULES = new OptionTable({ queues: checkQueues } satisfies RulesOf<FlowrraFeatureOptions>);

/**
 * The queues that each `forFeature()` declares. Nest knows every module before it creates the first provider,
 * except modules that are loaded lazily.
 *
 * @throws {FlowrraConfigError} for an unknown option.
 */
export function featuresOf(modules: ModulesContainer): DeclaredQueues[] {
  const all = [...modules.values()];
  return all
    .filter(({ metatype }) => metatype === FlowrraFeatureModule)
    .map((feature) => {
      const importers = all.filter(({ imports }) => imports.has(feature)).map(({ name }) => name);
      const by = importers.length === 0 ? 'forFeature()' : `forFeature() in ${importers.join(' and ')}`;
      const options: unknown = feature.getProviderByKey(FEATURE_OPTIONS).instance;
      return { by, queues: FEATURE_RULES.resolve(options, by, `${by}: `).queues };
    });
}

/**
 * An engine opens its queues when it connects, so a module that is loaded lazily cannot add one.
 *
 * @param queues The queues of the start.
 * @throws {FlowrraConfigError} for a queue that was not declared at the start, or was with other options.
 */
export function rejectNewQueues(queues: readonly ResolvedQueue[], features: readonly DeclaredQueues[]): void {
  const [added] = mergeFeatures(queues, features).slice(queues.length);
  if (added === undefined) return;
  throw new FlowrraConfigError(
    `queues.${added.name}: a module that is loaded lazily cannot add a queue, since queues are opened at the start. Declare it in forRoot({ queues }) with the same options.`,
  );
}
