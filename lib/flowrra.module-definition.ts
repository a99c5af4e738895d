import { ConfigurableModuleBuilder } from '@nestjs/common';
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
