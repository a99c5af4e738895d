import { pathToFileURL } from 'node:url';

/** Deep enough for decorators composed of decorators; Node's default of ten is not. */
const STACK_DEPTH = 60;

/** What compilers call the function that applies decorators: tsc, SWC, esbuild, reflect-metadata. */
const HELPER = /^(?:Object\.|Reflect\.)?_*(?:ts_)?_?decorate(?:Class|Property)?$/i;

/** Packages that hold such functions when they are not written into each file. */
const HELPER_PACKAGE = /[\\/]node_modules[\\/](?:tslib|@swc[\\/]helpers|reflect-metadata)[\\/]/;

/**
 * The file of the class whose decorators are being applied, as a `file:` URL: to be asked while a
 * decorator runs, not while it is made, since a composed decorator is made elsewhere.
 *
 * @returns `null` where it cannot be told.
 */
export function declaringFile(): string | null {
  const frames = callSites().map((site) => ({
    name: site.getFunctionName() ?? '',
    file: site.getFileName() ?? null,
  }));
  const isHelper = ({ name, file }: (typeof frames)[number]): boolean =>
    HELPER.test(name) || (file !== null && HELPER_PACKAGE.test(file));
  const first = frames.findIndex(isHelper);
  if (first < 0) return null;
  // The helper is called by the class's own file; everything nearer is decorators.
  const caller = frames.slice(first).find((frame) => !isHelper(frame));
  return caller?.file ? toUrl(caller.file) : null;
}

/** Raw call sites name the file that runs; a formatted stack may name its source instead, by source maps. */
function callSites(): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = STACK_DEPTH;
    Error.prepareStackTrace = (_error, sites) => sites;
    return new Error().stack as unknown as NodeJS.CallSite[];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function toUrl(file: string): string {
  return file.startsWith('file:') ? file : pathToFileURL(file).href;
}
