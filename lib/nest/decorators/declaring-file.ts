import { type CallSite, callSites, toFileUrl } from '../../job/call-sites.js';

/** The names of the functions that apply decorators, in the output of tsc, SWC and esbuild and in reflect-metadata. */
const HELPER = /^(?:Object\.|Reflect\.)?_*(?:ts_)?_?decorate(?:Class|Property)?$/i;

/** The packages that contain such functions if the compiler does not write them into each file. */
const HELPER_PACKAGE = /[\\/]node_modules[\\/](?:tslib|@swc[\\/]helpers|reflect-metadata)[\\/]/;

/**
 * The file of the class whose decorators are being applied, as a `file:` URL; `null` if it is unknown. To be
 * called while a decorator is applied, not while it is created: a composed decorator is created in another file.
 */
export function declaringFile(): string | null {
  const frames = callSites();
  const first = frames.findIndex(isHelper);
  if (first < 0) return null;
  // The file of the class calls the helper. The frames before the helper are decorators.
  const caller = frames.slice(first).find((frame) => !isHelper(frame));
  return caller?.file ? toFileUrl(caller.file) : null;
}

function isHelper({ name, file }: CallSite): boolean {
  return HELPER.test(name) || (file !== null && HELPER_PACKAGE.test(file));
}
