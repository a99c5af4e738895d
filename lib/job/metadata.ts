import type { Metadata } from './job.js';
import { FlowrraConfigError } from './errors.js';

/** Where what was captured of the submitter's surroundings lies, beside the submitter's own metadata. */
const CONTEXT = '$context';
/** Where an instrumentation's mark lies. */
const MARK = '$mark';

/**
 * What travels with a job as its metadata: the submitter's own, what was captured, and what an
 * instrumentation has it carry.
 *
 * @throws {FlowrraConfigError} if the submitter's own has one of their names already.
 */
export function carried(
  metadata: Metadata | undefined,
  context: unknown,
  mark?: unknown,
): Metadata | undefined {
  if (metadata !== undefined)
    for (const name of [CONTEXT, MARK])
      if (name in metadata)
        throw new FlowrraConfigError(
          `metadata: '${name}' is a name that Flowrra uses itself. Choose another one.`,
        );
  if (context === undefined && mark === undefined) return metadata;
  return {
    ...metadata,
    ...(context !== undefined && { [CONTEXT]: context }),
    ...(mark !== undefined && { [MARK]: mark }),
  };
}

/** The submitter's own part. */
export function metadataOf(all: Metadata | undefined): Metadata {
  if (all === undefined || !(CONTEXT in all || MARK in all)) return all ?? NONE;
  const { [CONTEXT]: _context, [MARK]: _mark, ...own } = all;
  return own;
}

/** What was captured; `undefined` for nothing. */
export function contextOf(all: Metadata | undefined): unknown {
  return all?.[CONTEXT];
}

/** What an instrumentation had it carry; `undefined` for nothing. */
export function markOf(all: Metadata | undefined): unknown {
  return all?.[MARK];
}

const NONE: Metadata = Object.freeze({});
