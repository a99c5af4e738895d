import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** A file of the repository. */
export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** What users read: the README, and what it links to in `docs`, by path. */
export const documents: ReadonlyMap<string, string> = new Map(
  ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].map((path) => [
    path,
    textOf(path),
  ]),
);

/** All of it as one text. */
export const everything = [...documents.values()].join('\n');

/** A document without its code, in which `#` would begin no heading. */
export function prose(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '');
}

/** What stands below a heading that begins so, up to the next heading of any level. */
export function section(heading: string): string {
  const parts = [...documents.values()].flatMap((text) =>
    prose(text)
      .split(/^#{2,} /m)
      .slice(1),
  );
  const part =
    parts.find((candidate) => candidate.startsWith(`${heading}\n`)) ??
    parts.find((candidate) => candidate.startsWith(heading));
  if (part !== undefined) return part;
  throw new Error(`No document has the heading '${heading}'.`);
}
