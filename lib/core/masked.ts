/** A URL without its password, for messages. */
export function masked(url: string): string {
  return url.replace(/(\/\/[^/:@]*:).*@/, '$1…@');
}
