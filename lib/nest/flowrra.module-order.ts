import { Module, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { FlowrraConfigError } from '../job/errors.js';

/** Whose hooks come after those of every other module when Nest starts, and before them when it stops. */
@Module({})
export class LastModule {}

/**
 * Nest calls hooks by how far a module is from the root module: the farthest first when it starts,
 * and last when it stops. That alone leaves it to chance who is first among global modules, and
 * whether the root module, which may be global itself, is last.
 */
export function putFirstAndLast(modules: ModulesContainer, first: Type): void {
  moduleOf(modules, first).distance = Infinity;
  moduleOf(modules, LastModule).distance = -Infinity;
}

export function moduleOf(modules: ModulesContainer, type: Type): ModuleOfNest {
  const found = [...modules.values()].find(({ metatype }) => metatype === type);
  if (found !== undefined) return found;
  throw new FlowrraConfigError(
    `${type.name} was not found among the application's modules. Flowrra needs Nest 11 or 12.`,
  );
}

type ModuleOfNest = NonNullable<ReturnType<ModulesContainer['get']>>;
