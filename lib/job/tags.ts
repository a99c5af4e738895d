import { createHash } from 'node:crypto';
import { wrong } from './check.js';
import { FlowrraConfigError } from './errors.js';
import { UNFIT } from './names.js';
import { printed } from './show-value.js';

/** The most tags of one job. */
export const MAX_TAGS = 10;
/** The most characters of a tag. */
export const MAX_TAG_LENGTH = 100;

const NEED = `A tag is 1 to ${MAX_TAG_LENGTH} characters, none a control character.`;

/** The tags of a task: a list, or a function that returns the list for the arguments of a submission. */
export type TaskTags<A extends readonly unknown[] = never[]> =
  readonly string[] | ((...args: A) => readonly string[]);

export function isTag(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TAG_LENGTH && !UNFIT.test(value);
}

/** @throws {FlowrraConfigError} unless every engine accepts it as a tag. */
export function checkTag(value: unknown, path: string): string {
  if (isTag(value)) return value;
  throw wrong(path, value, NEED);
}

/**
 * The tags of a list, each once; `undefined` for none.
 *
 * @throws {FlowrraConfigError} that names the invalid tag.
 */
export function checkTags(value: unknown, path: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value))
    throw wrong(path, value, `It must be an array of tags, such as ['billing']. ${NEED}`);
  // Unlike `map`, `Array.from` does not skip holes.
  const tags = new Set(Array.from(value as unknown[], (tag, index) => checkTag(tag, `${path}[${index}]`)));
  return atMostTen(tags, path);
}

/** @throws {FlowrraConfigError} unless it is a list of tags, a function that returns one, or `undefined`. */
export function checkTaskTags(value: unknown, path: string): TaskTags | undefined {
  return typeof value === 'function' ? (value as TaskTags) : checkTags(value, path);
}

/**
 * The tags of a job: those of its task and those of its submission.
 *
 * @throws {FlowrraConfigError} if the task's function has thrown or has returned no list of tags, or if the job has
 *   too many tags.
 */
export function tagsOfJob(
  taskName: string,
  ofTask: TaskTags,
  args: readonly unknown[],
  ofSubmission: readonly string[] | undefined,
): readonly string[] | undefined {
  const own = typeof ofTask === 'function' ? calledTags(taskName, ofTask, args) : ofTask;
  if (own === undefined || own.length === 0) return ofSubmission;
  if (ofSubmission === undefined) return own;
  return atMostTen(new Set([...own, ...ofSubmission]), `tags of task '${taskName}' and of its submission`);
}

function calledTags(
  taskName: string,
  tagsOf: (...args: never[]) => readonly string[],
  args: readonly unknown[],
): readonly string[] | undefined {
  let returned: unknown;
  try {
    returned = (tagsOf as (...args: readonly unknown[]) => unknown)(...args);
  } catch (cause) {
    throw new FlowrraConfigError(
      `Task '${taskName}': its function 'tags' has thrown, so the job was not submitted: ${printed(cause)}`,
      { cause },
    );
  }
  // A promise is no list. Its rejection would be unhandled.
  if (returned instanceof Promise) returned.catch(() => undefined);
  return checkTags(returned ?? null, `Task '${taskName}', the value that its function 'tags' returned`);
}

function atMostTen(tags: ReadonlySet<string>, path: string): readonly string[] | undefined {
  if (tags.size > MAX_TAGS)
    throw wrong(path, [...tags], `A job has at most ${MAX_TAGS} tags, and these are ${tags.size}.`);
  return tags.size === 0 ? undefined : [...tags];
}

/** Begins the tags that Flowrra adds: no user's tag begins so, and no list shows them. */
const OWN_TAG = '\u0001';

/** Whether it is a list of tags as a job has them: those of the user, and at most one that Flowrra has added. */
export function areStoredTags(value: unknown): value is readonly string[] {
  if (!Array.isArray(value)) return false;
  const own = value.filter((tag) => typeof tag === 'string' && tag.startsWith(OWN_TAG)) as readonly string[];
  const users = value.filter((tag) => !own.includes(tag as string));
  return (
    own.length <= 1 &&
    own.every((tag) => isTag(tag.slice(OWN_TAG.length))) &&
    users.length <= MAX_TAGS &&
    users.every(isTag)
  );
}

/** The tag of all child jobs of a job. */
export function parentTag(taskId: string): string {
  return `${OWN_TAG}${createHash('sha256').update(taskId).digest('base64url')}`;
}

/** Without those that Flowrra has added. */
export function ownTags(tags: readonly string[] | undefined): readonly string[] {
  return tags === undefined ? [] : tags.filter((tag) => !tag.startsWith(OWN_TAG));
}
