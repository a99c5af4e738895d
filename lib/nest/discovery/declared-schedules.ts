import { suggest } from '../../job/check.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { checkScheduleName } from '../../job/names.js';
import { payloadToText } from '../../job/payload/payload-text.js';
import { resolveScheduleRule } from '../../job/schedule/schedule-options.js';
import type { DeclaredSchedule } from '../../run/schedules/declarations.js';
import type { ScheduleDecoration } from '../decorators/task-metadata.js';

/** Options of `forRoot({ schedules })`, by name of the schedule. `false` turns a schedule off. */
export type ScheduleOverrides = ReadonlyMap<string, object | false>;

/**
 * The schedule of a task's decorator, with the overrides of the application.
 *
 * @throws {FlowrraConfigError} that names the decorator or the override, the option and the valid values.
 */
export function declaredSchedule(
  { name: given, disabled, rule }: ScheduleDecoration,
  { name: taskName, queue }: { readonly name: string; readonly queue: string },
  overrides: ScheduleOverrides,
): DeclaredSchedule {
  const where = `The schedule of '${taskName}'`;
  const name = given === undefined ? taskName : checkScheduleName(given, `${where}, name`);
  const declared = { name, taskName, queue, args: NO_ARGS };
  const override = overrides.get(name);
  if (override === undefined)
    return { ...declared, rule: disabled ? null : resolveScheduleRule(rule, where) };
  if (override === false) return { ...declared, rule: null };
  return { ...declared, rule: resolveScheduleRule(overridden(rule, override), `schedules['${name}']`) };
}

/** @throws {FlowrraConfigError} for an override of a schedule that no decorator declares. */
export function checkOverrides(overrides: ScheduleOverrides, declared: readonly DeclaredSchedule[]): void {
  const names = declared.map(({ name }) => name);
  for (const name of overrides.keys()) {
    if (names.includes(name)) continue;
    const known = names.length === 0 ? 'This application declares none.' : suggest(name, names);
    throw new FlowrraConfigError(
      `forRoot({ schedules }): no declared schedule is called '${name}'. ${known}`,
    );
  }
}

/** Another kind of times replaces those of the decorator, with their time zone. */
function overridden(rule: object, override: object): object {
  const { cron, every, timezone, ...rest } = rule as Record<string, unknown>;
  const times =
    'cron' in override || 'every' in override
      ? { ...('cron' in override && { timezone }) }
      : { cron, every, timezone };
  return { ...times, ...rest, ...override };
}

const NO_ARGS = payloadToText([]);
