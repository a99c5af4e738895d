import { ConfigurableModuleBuilder } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import type { FlowrraModuleOptions } from './options/module-options.js';

/** Makes the options of {@link FlowrraModule}: for `forRootAsync({ useClass })` and `useExisting`. */
export interface FlowrraOptionsFactory {
  /** Called once, while the application starts. */
  createFlowrraOptions(): FlowrraModuleOptions | Promise<FlowrraModuleOptions>;
}

/** What `forRoot` and `forRootAsync` take beside Flowrra's own options. */
export interface FlowrraModuleExtras {
  /** Whether every module may inject `FlowrraService` without importing. Default `true`. */
  isGlobal?: boolean;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<FlowrraModuleOptions>({ moduleName: 'Flowrra' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createFlowrraOptions')
    .setExtras<FlowrraModuleExtras>({ isGlobal: true }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal ?? true,
    }))
    .build();

/** Stands for the options of a module that was imported as a class: `forRoot` puts the real ones in its place. */
export const NOT_CONFIGURED = Symbol('flowrra:not-configured');

/** @throws {FlowrraConfigError} if there are none, since `forRoot` was not called. */
export function configured(options: FlowrraModuleOptions | typeof NOT_CONFIGURED): FlowrraModuleOptions {
  if (options !== NOT_CONFIGURED) return options;
  throw new FlowrraConfigError(
    'FlowrraModule is imported without forRoot(). Import FlowrraModule.forRoot({ … }) in the root module. It is global: other modules need not import FlowrraModule.',
  );
}
