import { ConfigurableModuleBuilder } from '@nestjs/common';
import { FlowrraConfigError } from '../job/errors.js';
import type { FlowrraModuleOptions } from './options/module-options.js';

/** Creates the options of {@link FlowrraModule}, for `forRootAsync({ useClass })` and `useExisting`. */
export interface FlowrraOptionsFactory {
  /** Called once, when the application starts. */
  createFlowrraOptions(): FlowrraModuleOptions | Promise<FlowrraModuleOptions>;
}

/** Options of `forRoot` and `forRootAsync` about the module itself. */
export interface FlowrraModuleExtras {
  /**
   * Whether every module can inject `FlowrraService` without importing `FlowrraModule`.
   *
   * @defaultValue `true`
   */
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

/** The options if the module is imported as a class. `forRoot` replaces them. */
export const NOT_CONFIGURED = Symbol('flowrra:not-configured');

/** @throws {FlowrraConfigError} if the module is imported without `forRoot`. */
export function configured(options: FlowrraModuleOptions | typeof NOT_CONFIGURED): FlowrraModuleOptions {
  if (options !== NOT_CONFIGURED) return options;
  throw new FlowrraConfigError(
    'FlowrraModule is imported without forRoot(). Import FlowrraModule.forRoot({ … }) in the root module. It is global: other modules need not import FlowrraModule.',
  );
}
