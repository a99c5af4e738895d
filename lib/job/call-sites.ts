import { pathToFileURL } from 'node:url';

/** Node's default of 10 is too small for decorators that are composed of decorators. */
const STACK_DEPTH = 60;

/** One frame of the call stack. */
export interface CallSite {
  readonly name: string;
  readonly file: string | null;
}

/**
 * The frames above the caller, nearest first. Raw call sites name the file that runs; a formatted
 * stack may name its source instead, by source maps.
 */
export function callSites(): CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = STACK_DEPTH;
    Error.prepareStackTrace = (_error, sites) => sites;
    const sites = new Error().stack as unknown as NodeJS.CallSite[];
    return sites
      .slice(1)
      .map((site) => ({ name: site.getFunctionName() ?? '', file: site.getFileName() ?? null }));
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * The `file:` URL of the file that calls this. `import.meta.url` would be simpler, but code that
 * has it cannot be transformed to CommonJS, as test runners do.
 */
export function thisFile(): string {
  return toFileUrl(callSites()[1]?.file ?? '');
}

export function toFileUrl(file: string): string {
  return file.startsWith('file:') ? file : pathToFileURL(file).href;
}
