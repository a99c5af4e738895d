import { per, verdict } from './report.mjs';

/** The schedules of one engine. The memory engine stores none beyond its process. */
function schedules(kind, lateness) {
  return {
    name: `schedules-${kind}`,
    title: `Schedules on ${kind}: 20 of one second each on an idle worker, then a start with 10,000 stored ones`,
    contenders: ['flowrra-schedules'],
    rounds: 3,
    args: (quick, folder) => ({ kind, seconds: quick ? 5 : 30, stored: quick ? 1_000 : 10_000, folder }),
    report({ 'flowrra-schedules': { p50, p99, start, reads } }, print) {
      print(
        `An occurrence's job starts after ${p50.toFixed(0)} ms at the median, ${p99.toFixed(0)} ms at the 99th percentile; target at most ${verdict(p99, lateness, false)} ms.`,
      );
      if (kind === 'memory') return;
      print(
        `The start takes ${start.toFixed(0)} ms; target at most ${verdict(start, 2_000, false)} ms. An idle second has ${reads.toFixed(1)} reads; target at most ${verdict(reads, 1, false)}.`,
      );
    },
  };
}

/**
 * Durable tasks on one engine; on PostgreSQL, beside DBOS Transact on a server of its own. A step on SQLite costs at most one group commit. A server takes too long to suspend
 * 100,000 jobs, or to run 10,000 child jobs.
 */
function durable(kind, rate) {
  const hasServer = kind === 'redis' || kind === 'postgres';
  const suspendedJobs = hasServer ? 5_000 : 100_000;
  const children = hasServer ? null : { few: 1_000, many: 10_000 };
  return {
    name: `durable-${kind}`,
    title: `Durable tasks on ${kind}: 64 jobs of steps in flight, a job that goes on after a signal, ${per(suspendedJobs)} suspended jobs${children === null ? '' : ', and the child jobs of one parent'}`,
    contenders: ['flowrra-durable', ...(kind === 'postgres' ? ['dbos'] : [])],
    rounds: 3,
    args: (quick, folder) => ({
      kind,
      steps: quick ? 50 : 500,
      signals: quick ? 20 : 200,
      suspendedJobs: quick ? 1_000 : suspendedJobs,
      children: quick && children !== null ? { few: 100, many: 1_000 } : children,
      folder,
    }),
    report({ 'flowrra-durable': found, dbos }, print) {
      const growth = found.many / found.few;
      print('| figure | value | target |');
      print('|---|---|---|');
      print(
        `| steps/s | ${per(found.rate)} | ${rate === null ? '' : `at least ${verdict(found.rate, rate)}`} |`,
      );
      if (dbos !== undefined)
        print(
          `| steps/s of DBOS Transact, and flowrra in relation to it | ${per(dbos.rate)}, ${(found.rate / dbos.rate).toFixed(2)} times | |`,
        );
      print(
        `| from a signal until the method goes on, median, ms | ${found.resume.toFixed(1)} | at most ${verdict(found.resume, 50, false)} |`,
      );
      if (kind === 'sqlite')
        print(
          `| bytes of a suspended job | ${per(found.bytes)} | at most ${verdict(found.bytes, 1_024, false)} |`,
        );
      print(
        `| CPU time of the idle process with the suspended jobs, per cent of a core | ${found.idle.toFixed(2)} | |`,
      );
      if (children === null) return;
      print(`| time per child job, ${per(children.few)} of one parent, µs | ${per(found.few)} | |`);
      print(`| time per child job, ${per(children.many)} of one parent, µs | ${per(found.many)} | |`);
      print(`| ratio of the two | ${growth.toFixed(2)} | |`);
    },
  };
}

/** The outbox in one database. */
function outboxIn(database, name, start) {
  return {
    name: `outbox-${database}`,
    title: `Outbox in ${name}: submissions in transactions, against insertions into a table of the same columns`,
    contenders: ['flowrra-outbox'],
    rounds: 3,
    args: (quick, folder) => ({ database, turns: quick ? 5 : 20, jobs: quick ? 20 : 200, folder }),
    report({ 'flowrra-outbox': { count, submitted, inserted, ratio, p50, p99, idle } }, print) {
      print(
        `A submission has ${count} statements (target at most ${verdict(count, 1, false)}) and takes ${submitted.toFixed(0)} µs, an insertion ${inserted.toFixed(0)} µs: ${ratio.toFixed(2)} times.`,
      );
      print(
        `A job starts ${p50.toFixed(1)} ms after the commit at the median, ${p99.toFixed(1)} ms at the 99th percentile; target below ${verdict(p50, start, false)} ms at the median.`,
      );
      print(`An idle second has ${idle.toFixed(1)} statements; target at most ${verdict(idle, 1, false)}.`);
    },
  };
}

/** The relay of jobs from PostgreSQL to one engine. */
function relay(kind) {
  return {
    name: `outbox-relay-${kind}`,
    title: `Relay of jobs in batches from PostgreSQL to ${kind}, against submitMany of 1,000 to the same engine`,
    contenders: ['flowrra-outbox-relay'],
    rounds: 3,
    args: (quick, folder) => ({ kind, database: 'postgres', turns: quick ? 3 : 15, folder }),
    report({ 'flowrra-outbox-relay': { submitMany, relay, ratio } }, print) {
      print(
        `submitMany ${per(1_000_000 / submitMany)} jobs/s, relay ${per(1_000_000 / relay)} jobs/s: ${ratio.toFixed(2)} times; target at least ${verdict(ratio, 0.5)}.`,
      );
    },
  };
}

/** Operations on many jobs, on one engine. Jobs that are retried have failed before, on a worker. */
function bulk(kind, failed) {
  const jobs = 100_000;
  return {
    name: `bulk-${kind}`,
    title: `Operations on many jobs on ${kind}: seconds for ${per(jobs)} jobs (retryAll: ${per(failed)}), and the longest hold of the loop or the server`,
    contenders: ['flowrra-bulk'],
    rounds: 3,
    args: (quick, folder) => ({
      kind,
      jobs: quick ? 2_000 : jobs,
      failed: quick ? 1_000 : failed,
      folder,
    }),
    report({ 'flowrra-bulk': found }, print) {
      const names = ['cancelAll', 'removeAll', 'retryAll'].flatMap((name) => [name, `${name} with a tag`]);
      print(`| engine | ${names.join(' | ')} | longest hold, ms |`);
      print(`|${'---|'.repeat(names.length + 2)}`);
      const held = Math.max(...names.map((name) => found[`${name} held`]));
      print(
        `| ${kind} | ${names.map((name) => `${found[name].toFixed(1)} s`).join(' | ')} | ${held.toFixed(0)}; target at most ${verdict(held, 50, false)} |`,
      );
    },
  };
}

/** The benches of single features. */
export const FEATURE_BENCHES = [
  ...[
    ['memory', 100],
    ['sqlite', 100],
    ['redis', 250],
    ['postgres', 250],
  ].map(([kind, lateness]) => schedules(kind, lateness)),
  ...[
    ['memory', null],
    ['sqlite', 20_000],
    ['redis', null],
    ['postgres', null],
  ].map(([kind, rate]) => durable(kind, rate)),
  outboxIn('postgres', 'PostgreSQL', 20),
  outboxIn('mariadb', 'MariaDB', 60),
  outboxIn('sqlite', 'SQLite', 60),
  ...['memory', 'sqlite', 'redis', 'postgres'].map(relay),
  {
    name: 'outbox-direct',
    title:
      'On PostgreSQL: submissions in transactions of their own, outbox({ direct: true }), against ordinary ones',
    contenders: ['flowrra-outbox-direct'],
    rounds: 3,
    args: (quick) => ({ jobs: quick ? 320 : 1_600, turns: quick ? 3 : 9 }),
    report({ 'flowrra-outbox-direct': found }, print) {
      print('| measure | direct | ordinary | ratio | target |');
      print('|---|---|---|---|---|');
      for (const [key, what, target] of [
        ['single', 'submit one by one, jobs/s', null],
        ['flight', 'submit, 16 in flight, jobs/s', 0.9],
        ['bulk', 'submit 1,000 at once, jobs/s', 0.9],
      ]) {
        const [ours, plain] = [found[`${key} direct`], found[`${key} ordinary`]];
        const reached = target === null ? '' : `at least ${verdict(ours / plain, target)}`;
        print(`| ${what} | ${per(ours)} | ${per(plain)} | ${(ours / plain).toFixed(2)} | ${reached} |`);
      }
      print();
      print('One by one, a transaction has three round trips: BEGIN, the submission and COMMIT.');
    },
  },
  ...[
    ['memory', 100_000],
    ['sqlite', 100_000],
    ['redis', 20_000],
    ['postgres', 20_000],
  ].map(([kind, failed]) => bulk(kind, failed)),
];
