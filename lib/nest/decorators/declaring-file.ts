import { type CallSite, callSites, toFileUrl } from '../../job/call-sites.js';

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
  const frames = callSites();
  const first = frames.findIndex(isHelper);
  if (first < 0) return null;
  // The helper is called by the class's own file; everything nearer is decorators.
  const caller = frames.slice(first).find((frame) => !isHelper(frame));
  return caller?.file ? toFileUrl(caller.file) : null;
}

function isHelper({ name, file }: CallSite): boolean {
  return HELPER.test(name) || (file !== null && HELPER_PACKAGE.test(file));
}
