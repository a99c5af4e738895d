import type { Metadata } from '../engine/engine.interface.js';
import { FlowrraConfigError } from './errors.js';

/** Where what was captured of the submitter's surroundings lies, beside the submitter's own metadata. */
const CONTEXT = '$context';

/**
 * What travels with a job as its metadata: the submitter's own, and what was captured.
 *
 * @throws {FlowrraConfigError} if the submitter's own has that name already.
 */
export function carried(metadata: Metadata | undefined, context: unknown): Metadata | undefined {
  if (metadata !== undefined && CONTEXT in metadata)
    throw new FlowrraConfigError(
      `metadata: '${CONTEXT}' is a name that Flowrra uses itself. Choose another one.`,
    );
  return context === undefined ? metadata : { ...metadata, [CONTEXT]: context };
}

/** The submitter's own part. */
export function metadataOf(all: Metadata | undefined): Metadata {
  if (all === undefined || !(CONTEXT in all)) return all ?? NONE;
  const { [CONTEXT]: _context, ...own } = all;
  return own;
}

/** What was captured; `undefined` for nothing. */
export function contextOf(all: Metadata | undefined): unknown {
  return all?.[CONTEXT];
}

const NONE: Metadata = Object.freeze({});
