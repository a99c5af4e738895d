import { FEATURE_BENCHES } from './feature-benches.mjs';
import { per, verdict } from './report.mjs';

/** What is measured, on whom, and how it is told. A target is what the project holds itself to. */
const RIVALS = ['fastq', 'async.queue', 'async.priorityQueue', 'p-queue', 'bare-map'];

function throughput(jobs, targets) {
  return {
    name: `throughput-${jobs}`,
    title: `Trivial async jobs, concurrency 4, submit all and drain: ${per(jobs)} jobs, each run in a fresh process`,
    contenders: ['flowrra', ...RIVALS],
    args: (quick) => ({ jobs: quick ? jobs / 10 : jobs, warm: 0 }),
    report(medians, print) {
      const ours = medians.flowrra.rate;
      print('| queue | jobs/s | flowrra is … times as fast | target | B a pending job | peak RSS MB |');
      print('|---|---|---|---|---|---|');
      for (const [name, { rate, bytes, rss }] of Object.entries(medians)) {
        const ratio = (ours / rate).toFixed(2);
        const target = targets[name] ? verdict(Number(ratio), targets[name]) : '';
        print(
          `| ${name} | ${per(rate)} | ${name === 'flowrra' ? '' : ratio} | ${target} | ${per(bytes)} | ${per(rss)} |`,
        );
      }
      print();
      print(
        'flowrra keeps results, priorities, retries and isolated arguments; of the others only bare-map keeps a result.',
      );
    },
  };
}

/** The adapter over BullMQ against what it adapts, on a server of its own, in the same run. */
function againstBullMq(server, jobs, turns) {
  return {
    name: server === 'Redis' ? 'redis' : 'postgres',
    title: `Over BullMQ on ${server}, against bare BullMQ on the same server`,
    contenders: ['bullmq-in-turns', 'flowrra-bullmq', 'bare-bullmq'],
    rounds: 3,
    args: (quick) => ({
      server: server === 'Redis' ? 'redis' : 'postgres',
      jobs: quick ? jobs / 5 : jobs,
      turns: quick ? 3 : turns,
    }),
    report({ 'bullmq-in-turns': turns, 'flowrra-bullmq': ours, 'bare-bullmq': bare }, print) {
      print('| measure | flowrra | bare BullMQ | ratio | target |');
      print('|---|---|---|---|---|');
      const row = (what, [mine, theirs], ratio, target, atLeast) =>
        print(
          `| ${what} | ${mine} | ${theirs} | ${ratio.toFixed(2)} | at ${atLeast ? 'least' : 'most'} ${verdict(ratio, target, atLeast)} |`,
        );
      for (const [key, what] of [
        ['single', 'submit one by one, jobs/s'],
        ['flight', 'submit, 100 in flight, jobs/s'],
        ['bulk', 'submit 1,000 at once, jobs/s'],
        ['process', 'process at concurrency 100, jobs/s'],
        ['trip', 'round trip, ms'],
      ]) {
        const times = [turns[`${key} ours`], turns[`${key} bare`]];
        const shown = times.map((ms) => (key === 'trip' ? ms.toFixed(2) : per(1_000 / ms)));
        row(what, shown, times[1] / times[0], 0.9, true);
      }
      row('peak memory, MB', [ours.rss, bare.rss].map(per), ours.rss / bare.rss, 1.2, false);
    },
  };
}

const SUBMITTED = {
  single: ['submit one by one', null],
  flight64: ['submit, 64 in flight', 50_000],
  flight1000: ['submit, 1,000 in flight', 80_000],
  bulk: ['submitMany of 1,000', 120_000],
  process: ['process what waits', null],
};

function reportDurable(
  { 'flowrra-sqlite': ours, 'durable-plainjob': plainjob, 'durable-bullmq': bullmq },
  print,
) {
  print('| measure | flowrra | plainjob | BullMQ on Redis | target |');
  print('|---|---|---|---|---|');
  for (const [key, [what, target]] of Object.entries(SUBMITTED)) {
    const reached = target === null ? '' : `at least ${verdict(ours[key], target)}`;
    print(`| ${what} | ${per(ours[key])} | ${per(plainjob[key])} | ${per(bullmq[key])} | ${reached} |`);
  }
  print(
    `| submit to result, 1,000 in flight | ${per(ours.through)} | | | at least ${verdict(ours.through, 20_000)} |`,
  );
  const times = ours.process / plainjob.process;
  print(`| processing, times plainjob | ${times.toFixed(1)} | | | at least ${verdict(times, 3)} |`);
  print();
  const bound = 2 * ours.commit + 1;
  print(
    `Idle round trip ${ours.trip.toFixed(2)} ms, where a bare commit takes ${ours.commit.toFixed(2)} ms; target at most ${verdict(ours.trip, Number(bound.toFixed(2)), false)} ms.`,
  );
  print(
    `The event loop was held at the 99.9th percentile for ${ours.submitHeld.toFixed(1)} ms while submitting, ${ours.processHeld.toFixed(1)} ms while processing, ${ours.throughHeld.toFixed(1)} ms with both at once; target 10.`,
  );
  print();
  print(
    'plainjob runs as it ships, with synchronous=NORMAL: a power failure may lose what it has accepted. BullMQ runs on a Redis with appendfsync always. Not measured: liteque 0.8, whose worker better-sqlite3 12 refuses (its transaction returns a promise), and sidequest, which asks for Node 22.',
  );
}

export const BENCHES = [
  throughput(100_000, { fastq: 1 }),
  throughput(1_000_000, { fastq: 1.3, 'async.queue': 0.85 }),
  {
    name: 'throughput-warm',
    title: 'The same, 1,000,000 jobs in a warm process',
    contenders: ['flowrra', 'async.queue', 'fastq'],
    args: (quick) => ({ jobs: quick ? 100_000 : 1_000_000, warm: 1 }),
    report(medians, print) {
      print('| queue | jobs/s | flowrra is … times as fast | target |');
      print('|---|---|---|---|');
      for (const [name, { rate }] of Object.entries(medians)) {
        const ratio = (medians.flowrra.rate / rate).toFixed(2);
        print(
          `| ${name} | ${per(rate)} | ${name === 'flowrra' ? '' : ratio} | ${name === 'async.queue' ? verdict(Number(ratio), 1) : ''} |`,
        );
      }
    },
  },
  {
    name: 'memory',
    title: 'Heap per pending job, and time per job as the backlog grows',
    contenders: ['flowrra-memory'],
    args: (quick) => ({ jobs: quick ? 100_000 : 1_000_000 }),
    report({ 'flowrra-memory': found }, print) {
      print('| figure | value | target |');
      print('|---|---|---|');
      print(`| B a pending job | ${per(found.pending)} | at most ${verdict(found.pending, 250, false)} |`);
      print(
        `| B a pending job with a waiter | ${per(found.waiting)} | at most ${verdict(found.waiting, 400, false)} |`,
      );
      print(
        `| time per job at 1,000,000 pending, over that at 10,000 | ${found.growth.toFixed(2)} | at most ${verdict(found.growth, 1.5, false)} |`,
      );
    },
  },
  {
    name: 'round-trip',
    title: 'Idle round trip inside Nest: submit, then waitForResult',
    contenders: ['flowrra-round-trip'],
    args: (quick) => ({ jobs: quick ? 10_000 : 100_000 }),
    report({ 'flowrra-round-trip': { p50, p99 } }, print) {
      print(
        `Median ${p50.toFixed(1)} µs, 99th percentile ${p99.toFixed(1)} µs; target at most ${verdict(p50, 5, false)} µs.`,
      );
    },
  },
  {
    name: 'enhancers',
    title: 'What a guard or an interceptor adds to a job that does nothing',
    contenders: ['flowrra-enhanced'],
    args: (quick) => ({ jobs: quick ? 10_000 : 100_000 }),
    report({ 'flowrra-enhanced': { plain, guarded, intercepted } }, print) {
      print(
        `${plain.toFixed(1)} µs a job without any; one guard adds ${(guarded - plain).toFixed(1)} µs, one interceptor ${(intercepted - plain).toFixed(1)} µs.`,
      );
    },
  },
  {
    name: 'responsiveness',
    title: 'How late a 10 ms timer is while 1,000,000 jobs of 10 µs drain',
    contenders: ['flowrra-responsiveness'],
    rounds: 3,
    args: (quick) => ({ jobs: quick ? 100_000 : 1_000_000 }),
    report({ 'flowrra-responsiveness': { p50, p99, worst } }, print) {
      print(
        `Median ${p50.toFixed(1)} ms, 99th percentile ${p99.toFixed(1)} ms, worst ${worst.toFixed(1)} ms; target at most ${verdict(p99, 5, false)} ms at the 99th percentile.`,
      );
    },
  },
  {
    name: 'retention',
    title: 'Heap after each 200,000 of 1,000,000 jobs, default retention',
    contenders: ['flowrra-retention'],
    rounds: 1,
    args: (quick) => ({ jobs: quick ? 200_000 : 1_000_000 }),
    report({ 'flowrra-retention': waves }, print) {
      print(
        Object.values(waves)
          .map((megabytes) => `${megabytes.toFixed(1)} MB`)
          .join(', '),
      );
    },
  },
  {
    name: 'durable',
    title: 'SQLite, durable (synchronous=FULL), one process, concurrency 4; jobs/s',
    contenders: ['flowrra-sqlite', 'durable-plainjob', 'durable-bullmq'],
    rounds: 3,
    args: (quick, folder) => ({ jobs: quick ? 5_000 : 50_000, folder }),
    report: reportDurable,
  },
  {
    name: 'durable-growth',
    title:
      'SQLite: time per job as the backlog grows, and the file after 1,000,000 jobs with maxResults 10,000',
    contenders: ['flowrra-sqlite-growth'],
    rounds: 1,
    args: (quick, folder) => ({ jobs: quick ? 100_000 : 1_000_000, folder }),
    report({ 'flowrra-sqlite-growth': found }, print) {
      const growth = found.many / found.few;
      print(
        `${found.few.toFixed(0)} µs a job at a backlog of 1,000, ${found.many.toFixed(0)} µs at 1,000,000: ${growth.toFixed(2)} times; target at most ${verdict(growth, 2, false)}.`,
      );
      print();
      const after = [1, 2, 3, 4].map(
        (n) => `${found[`megabytes${n}`].toFixed(1)} MB with ${found[`handles${n}`]} open handles`,
      );
      print(`The file after each quarter of the jobs: ${after.join(', ')}.`);
    },
  },
  againstBullMq('Redis', 2_000, 20),
  againstBullMq('PostgreSQL', 400, 4),
  ...FEATURE_BENCHES,
  {
    name: 'cpu',
    title: 'CPU-bound tasks in 2 threads, against bare Piscina',
    contenders: ['flowrra-cpu', 'piscina'],
    args: (quick) => ({ calls: quick ? 2_000 : 20_000 }),
    report({ 'flowrra-cpu': ours, piscina }, print) {
      print('| figure | flowrra | piscina | ratio | target |');
      print('|---|---|---|---|---|');
      for (const [key, what] of [
        ['single', 'small calls/s, one by one'],
        ['flight', 'small calls/s, 1,000 in flight'],
      ]) {
        const ratio = ours[key] / piscina[key];
        print(
          `| ${what} | ${per(ours[key])} | ${per(piscina[key])} | ${ratio.toFixed(2)} | ${verdict(ratio, 0.9)} |`,
        );
      }
      print(
        `| a CPU-bound load on 2 threads, times 1 thread | ${ours.speedUp.toFixed(2)} | ${piscina.speedUp.toFixed(2)} | | |`,
      );
    },
  },
];
