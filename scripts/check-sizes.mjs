// Files of lib: at most 300 lines, at least 15 unless an index, and 80% of them over 40 lines.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST_LINES = 300;
const LEAST_LINES = 15;
const USUAL_LINES = 40;
const USUAL_SHARE = 0.8;

const lib = join(dirname(fileURLToPath(import.meta.url)), '../lib');
const files = readdirSync(lib, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts') && basename(file) !== 'index.ts')
  .map((file) => ({ file, lines: readFileSync(join(lib, file), 'utf8').split('\n').length - 1 }));

const problems = files
  .filter(({ lines }) => lines > MOST_LINES || lines < LEAST_LINES)
  .map(
    ({ file, lines }) => `lib/${file} has ${lines} lines: the limits are ${LEAST_LINES} and ${MOST_LINES}`,
  );
const share = files.filter(({ lines }) => lines > USUAL_LINES).length / files.length;
if (share < USUAL_SHARE)
  problems.push(
    `${Math.round(share * 100)}% of lib's files are over ${USUAL_LINES} lines, and 80% are to be`,
  );
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`${files.length} files: ${Math.round(share * 100)}% over ${USUAL_LINES} lines`);
