import { FlowrraConfigError } from './errors.js';
import type { Metadata } from './job.js';

/** The key of the captured context in a job's metadata, beside the submitter's own keys. */
const CONTEXT = '$context';
/** The key of an instrumentation's trace data. Stored jobs contain it. */
const TRACE = '$mark';
/** The key of the occurrence of a schedule. */
const SCHEDULE = '$schedule';
/** The key of the job whose method has called this one. */
const PARENT = '$parent';
const OWN_KEYS = [CONTEXT, TRACE, SCHEDULE, PARENT] as const;

/** The occurrence of a schedule that a job was submitted for. */
export interface ScheduleMark {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The number of missed occurrences that the job makes up for. */
  readonly missed: number;
  /** Whether an operator has triggered the schedule. */
  readonly manual: boolean;
}

/** The parts of a job's metadata that are not the submitter's own; `undefined` for none. */
export interface MetadataParts {
  readonly context?: unknown;
  /** The trace data of an instrumentation. */
  readonly trace?: unknown;
  readonly schedule?: ScheduleMark | undefined;
  /** The id of the job whose method has called this one. */
  readonly parent?: string | undefined;
}

/**
 * Joins the submitter's own metadata with the other parts: a job is stored with all of them as its metadata.
 *
 * @throws {FlowrraConfigError} if the submitter's metadata has one of the keys that Flowrra uses.
 */
export function packMetadata(
  metadata: Metadata | undefined,
  { context, trace, schedule, parent }: MetadataParts,
): Metadata | undefined {
  if (metadata !== undefined)
    for (const name of OWN_KEYS)
      if (name in metadata)
        throw new FlowrraConfigError(
          `metadata: '${name}' is a name that Flowrra uses itself. Choose another one.`,
        );
  if (context === undefined && trace === undefined && schedule === undefined && parent === undefined)
    return metadata;
  return {
    ...metadata,
    ...(context !== undefined && { [CONTEXT]: context }),
    ...(trace !== undefined && { [TRACE]: trace }),
    ...(schedule !== undefined && { [SCHEDULE]: schedule }),
    ...(parent !== undefined && { [PARENT]: parent }),
  };
}

/** The submitter's own metadata. */
export function metadataOf(all: Metadata | undefined): Metadata {
  if (all === undefined || !OWN_KEYS.some((name) => name in all)) return all ?? NONE;
  const { [CONTEXT]: _context, [TRACE]: _trace, [SCHEDULE]: _schedule, [PARENT]: _parent, ...own } = all;
  return own;
}

/** The captured context; `undefined` for none. */
export function contextOf(all: Metadata | undefined): unknown {
  return all?.[CONTEXT];
}

/** The trace data of an instrumentation; `undefined` for none. */
export function carrierOf(all: Metadata | undefined): unknown {
  return all?.[TRACE];
}

/** The occurrence of a schedule; `undefined` for a job that was not submitted by one. */
export function scheduleOf(all: Metadata | undefined): ScheduleMark | undefined {
  return all?.[SCHEDULE] as ScheduleMark | undefined;
}

/** The id of the job whose method has called this one; `undefined` for none. */
export function parentOf(all: Metadata | undefined): string | undefined {
  return all?.[PARENT] as string | undefined;
}

const NONE: Metadata = Object.freeze({});
