// Measures this checkout ("now") against another one ("before") in one run:
//
//   npm run bench:compare -- DIR [--rounds 7] [--tolerance 3] [--only memory-rate,cpu-rate]
//
// DIR is the folder of the other checkout, with its packages installed and its dist built. Each measurement
// has a process of its own, in turns: before, now, before, now, … Both go through the public API. The ratio is
// above 1 where this checkout is better. Exits with 1 if a ratio is below 1 by more than the tolerance, in
// percent; with 2 if the command is wrong.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startServices } from '../scripts/services/services.mjs';
import { MEASURES } from './compare-measures.mjs';

const here = dirname(fileURLToPath(import.meta.url));
/** On the disk of the project, since a temporary folder may lie in memory. */
const folder = join(here, '../.tmp/bench');

function reject(message) {
  console.error(
    `${message}\nUsage: npm run bench:compare -- DIR [--rounds N] [--tolerance PERCENT] [--only NAME,…]`,
  );
  process.exit(2);
}

function parse() {
  const string = (fallback) => ({ type: 'string', default: fallback });
  const options = { rounds: string('7'), tolerance: string('3'), only: string(Object.keys(MEASURES).join()) };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    return { ...values, folders: positionals };
  } catch (error) {
    return reject(error.message);
  }
}

function readCommand() {
  const { rounds, tolerance, only, folders } = parse();
  if (folders.length !== 1) reject('Name the folder of one other checkout.');
  const before = resolve(folders[0]);
  for (const needed of ['package.json', 'node_modules', 'dist/index.js'])
    if (!existsSync(join(before, needed))) reject(`${before} has no ${needed}.`);
  if (!(Number.isInteger(+rounds) && +rounds > 0))
    reject(`--rounds ${rounds} is not a positive whole number.`);
  if (!(+tolerance >= 0)) reject(`--tolerance ${tolerance} is not a number of percent, 0 or more.`);
  const names = only.split(',');
  for (const name of names)
    if (!(name in MEASURES)) reject(`--only ${name} is unknown. Known: ${Object.keys(MEASURES).join(', ')}.`);
  return { before, rounds: +rounds, tolerance: +tolerance / 100, names };
}

/** Runs in the folder of a checkout: bare names, its own included, are looked up from there. */
const CHILD = `
  const [measures, name, settings] = process.argv.slice(1);
  const [nest, flowrra, sqlite, bullmq] = await Promise.all(
    ['@nestjs/core', 'flowrra', 'flowrra/sqlite', 'flowrra/bullmq'].map((name) => import(name)),
  );
  const { MEASURES } = await import(measures);
  const found = await MEASURES[name].run({ nest, flowrra, sqlite, bullmq }, JSON.parse(settings));
  process.stdout.write(String(found), () => process.exit(0));`;

async function measure(checkout, name, settings) {
  const flags = ['--expose-gc', '--no-warnings', '--input-type=module', '--eval', CHILD];
  const measures = new URL('./compare-measures.mjs', import.meta.url).href;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, '--', measures, name, JSON.stringify(settings)],
    { cwd: checkout },
  );
  const found = Number(stdout.trim().split('\n').at(-1));
  if (!(found > 0)) throw new Error(`${name} in ${checkout} printed ${stdout}`);
  return found;
}

const { before, rounds, tolerance, names } = readCommand();
const sides = { before, now: join(here, '..') };
mkdirSync(folder, { recursive: true });
const samples = names.map((name) => ({ name, before: [], now: [] }));
const needed = { redis: names.includes('redis-rate'), postgres: names.includes('postgres-rate') };
const services = needed.redis || needed.postgres ? await startServices({ ...needed, own: true }) : null;
try {
  const settings = { folder, redisUrl: services?.redisUrl, postgresUrl: services?.postgresUrl };
  for (let round = 1; round <= rounds; round++) {
    for (const sample of samples)
      for (const [side, checkout] of Object.entries(sides))
        sample[side].push(await measure(checkout, sample.name, settings));
    console.error(`round ${round} of ${rounds} done`);
  }
} finally {
  await services?.stop();
}

const shown = (value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'));

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

console.log(
  `before: ${sides.before}\nnow: ${sides.now}\nMedians of ${rounds} rounds. A ratio above 1 is better.\n`,
);
console.log('| measure | before | now | ratio | lowest to highest ratio | |');
console.log('|---|---|---|---|---|---|');
for (const { name, before, now } of samples) {
  const { title, better } = MEASURES[name];
  // Each ratio is taken within a round, so that a slow moment of the machine affects both sides.
  const ratios = now.map((value, n) => (better === 'higher' ? value / before[n] : before[n] / value));
  const ratio = median(ratios);
  const worse = ratio < 1 - tolerance;
  if (worse) process.exitCode = 1;
  const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  console.log(
    `| ${title} | ${shown(median(before))} | ${shown(median(now))} | ${ratio.toFixed(3)} | ${spread} | ${worse ? 'WORSE' : ''} |`,
  );
}
