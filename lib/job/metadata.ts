import type { Metadata } from './job.js';
import { FlowrraConfigError } from './errors.js';

/** The key of the captured context, beside the submitter's own metadata. Jobs are stored with this name, so it must not change. */
const CONTEXT = '$context';
/** The key of an instrumentation's carrier. Jobs are stored with this name, so it must not change. */
const TRACE = '$mark';

/**
 * The stored metadata of a job: the submitter's own metadata, the captured context, and the carrier of
 * an instrumentation.
 *
 * @throws {FlowrraConfigError} if the submitter's own metadata has a key that Flowrra uses.
 */
export function packMetadata(
  metadata: Metadata | undefined,
  context: unknown,
  carrier?: unknown,
): Metadata | undefined {
  if (metadata !== undefined)
    for (const name of [CONTEXT, TRACE])
      if (name in metadata)
        throw new FlowrraConfigError(`metadata: Flowrra uses the key '${name}' itself. Choose another one.`);
  if (context === undefined && carrier === undefined) return metadata;
  return {
    ...metadata,
    ...(context !== undefined && { [CONTEXT]: context }),
    ...(carrier !== undefined && { [TRACE]: carrier }),
  };
}

/** The submitter's own metadata; `{}` for none. */
export function metadataOf(all: Metadata | undefined): Metadata {
  if (all === undefined || !(CONTEXT in all || TRACE in all)) return all ?? NONE;
  const { [CONTEXT]: _context, [TRACE]: _carrier, ...own } = all;
  return own;
}

/** The captured context; `undefined` for none. */
export function contextOf(all: Metadata | undefined): unknown {
  return all?.[CONTEXT];
}

/** The carrier of an instrumentation; `undefined` for none. */
export function carrierOf(all: Metadata | undefined): unknown {
  return all?.[TRACE];
}

const NONE: Metadata = Object.freeze({});
