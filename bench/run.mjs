// Runs every benchmark, each contender in a process of its own and in turns, and writes RESULTS.md.
// `node bench/run.mjs throughput --quick` runs one, with a tenth of the work.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BENCHES } from './benches.mjs';

const here = dirname(fileURLToPath(import.meta.url));
/** For files: on the disk of the project, since a temporary folder may lie in memory. */
const folder = join(here, '../.tmp/bench');
mkdirSync(folder, { recursive: true });
const quick = process.argv.includes('--quick');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

/** One measurement: a fresh process that prints a JSON object of numbers. */
function measure(contender, args) {
  const printed = execFileSync(
    process.execPath,
    [
      '--expose-gc',
      '--no-warnings',
      '--max-old-space-size=8192',
      join(here, 'contender.mjs'),
      contender,
      JSON.stringify(args),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return JSON.parse(printed.trim().split('\n').at(-1));
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const lines = [];
function print(line = '') {
  lines.push(line);
  console.log(line);
}

const processor = cpus()[0]?.model ?? 'unknown processor';
print('# Results');
print();
print(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} cores of ${processor}${quick ? ', quick' : ''}.`,
);
print('Medians; contenders take turns, so that noise hits all alike. Ratios count, not absolute figures.');

for (const bench of BENCHES) {
  if (wanted.length > 0 && !wanted.includes(bench.name)) continue;
  const rounds = quick ? 1 : (bench.rounds ?? 5);
  const samples = new Map(bench.contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of bench.contenders)
      samples.get(contender).push(measure(contender, bench.args(quick, folder)));
  }
  const medians = Object.fromEntries(
    [...samples].map(([contender, list]) => [
      contender,
      Object.fromEntries(Object.keys(list[0]).map((key) => [key, median(list.map((sample) => sample[key]))])),
    ]),
  );
  print();
  print(`## ${bench.title}`);
  print();
  bench.report(medians, print);
}

if (wanted.length === 0 && !quick) writeFileSync(join(here, 'RESULTS.md'), `${lines.join('\n')}\n`);
