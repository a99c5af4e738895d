import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { wrong } from '../../job/check.js';

/**
 * A file that a thread can import, as a `file:` URL.
 *
 * @param example What a right value would look like, for the error.
 * @throws {FlowrraConfigError} for a relative path: nobody could tell what it is relative to.
 */
export function fileUrl(file: unknown, path: string, example: string): string {
  if (file instanceof URL && file.protocol === 'file:') return file.href;
  // With its slash, since `file:./x.js` is a URL, too: of the root directory's x.js.
  if (typeof file === 'string' && /^file:\//i.test(file) && URL.canParse(file)) return new URL(file).href;
  if (typeof file === 'string' && isAbsolute(file)) return pathToFileURL(file).href;
  throw wrong(path, file, `It must be a file: URL or an absolute path, such as ${example}.`);
}
