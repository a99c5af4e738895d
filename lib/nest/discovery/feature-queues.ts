import { Inject, Module } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { FlowrraConfigError } from '../../job/errors.js';
import { RESOLVED_OPTIONS } from '../options/resolved-options.js';
import { checkKeys, keysOf } from '../../job/check.js';
import { type DeclaredQueues, mergeFeatures } from '../options/merge-features.js';
import type { FlowrraFeatureOptions } from '../options/module-options.js';
import type { ResolvedQueue } from '../../job/queue.js';

const KEYS = keysOf<FlowrraFeatureOptions>({ queues: true });

/** Injection token of the options that one `forFeature()` was given. */
export const FEATURE_OPTIONS = Symbol('FLOWRRA_FEATURE_OPTIONS');

/** What `FlowrraModule.forFeature()` imports. It exports nothing: {@link featuresOf} reads its options. */
@Module({})
export class FlowrraFeatureModule {
  /** @throws {FlowrraConfigError} if the application imports no `FlowrraModule.forRoot()`: nothing would run its tasks. */
  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    if ([...modules.values()].some(({ providers }) => providers.has(RESOLVED_OPTIONS))) return;
    throw new FlowrraConfigError(
      'FlowrraModule.forFeature() is imported without FlowrraModule.forRoot(). Import forRoot() once, in the root module.',
    );
  }
}

/**
 * What each `forFeature()` of the application declares. Nest knows every module before it makes the
 * first provider, except those that are loaded lazily.
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
      const options = feature.getProviderByKey(FEATURE_OPTIONS).instance as FlowrraFeatureOptions;
      checkKeys(options, KEYS, by);
      return { by, queues: options.queues };
    });
}

/**
 * An engine opens its queues when it connects, so a module that is loaded lazily can bring no new ones.
 *
 * @param queues Those of the start.
 * @throws {FlowrraConfigError} for a queue that is not among them, or is with other options.
 */
export function refuseNewQueues(queues: readonly ResolvedQueue[], features: readonly DeclaredQueues[]): void {
  const [added] = mergeFeatures(queues, features).slice(queues.length);
  if (added === undefined) return;
  throw new FlowrraConfigError(
    `queues.${added.name}: a module that is loaded lazily cannot add a queue, since queues are opened at the start. Declare it in forRoot({ queues }) with the same options.`,
  );
}
