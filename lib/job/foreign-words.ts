const RETRIES =
  "Use maxRetries: the number of retries after the first attempt ('attempts: 3' is maxRetries: 2).";
const RETRY_DELAY = "Use retryDelay, such as '30s'.";
const BACKOFF = "Use backoff: 'exponential', with retryDelay and maxRetryDelay.";
const TASK_ID = 'Use taskId, at submission: with({ taskId }).';
const DEDUPE = 'Use dedupe, at submission: with({ dedupe: { key, mode, ttl } }).';
const RETENTION =
  'Finished jobs and their results are kept for resultTtl, and at most maxResults of them: set both in forRoot().';
const SCHEDULE =
  "Declare a schedule with @Cron('0 6 * * *') or @Interval('15m') on the method, or set one with schedules.set(name, { cron }, task).";
const TIME_ZONE = "Use timezone, the name of an IANA time zone such as 'Europe/Berlin'.";
const OVERLAP = "Use overlap: 'skip', 'queue' or 'allow'.";
const MISSED =
  "Use missed: 'skip', 'once' or 'all'. It decides about occurrences that are more than a minute late.";
const CONCURRENCY =
  "Set concurrency for a queue, forRoot({ queues: { reports: { concurrency: 2 } } }), or numWorkers for the queue 'default'.";
const RATE =
  "Set rateLimit or fleetRateLimit for a queue: forRoot({ queues: { mail: { rateLimit: { max: 10, per: '1s' } } } }).";
const DELAY = "Set delay or runAt at submission: with({ delay: '10s' }), with({ runAt: date }).";
const FLOW = 'Flowrra has no flows yet: submit the next task from within this one.';
const CONNECTION = "Set the engine: engine: 'redis://…', or bullmq({ connection }) of flowrra/bullmq.";
const TIMEOUT =
  "Use timeout, such as '1m': the task's signal is aborted, and killGrace later the attempt fails.";

/** Options of BullMQ, Celery, pg-boss, @nestjs/schedule and Flowrra's own other places, and the option to use instead. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['attempts', RETRIES],
  ['retries', RETRIES],
  ['retryLimit', RETRIES],
  ['max_retries', RETRIES],
  ['autoretry_for', 'Every error is retried. Throw a FatalTaskError to fail a job at once.'],
  ['retry_delay', RETRY_DELAY],
  ['default_retry_delay', RETRY_DELAY],
  ['retryBackoff', BACKOFF],
  ['retry_backoff', BACKOFF],
  ['retry_backoff_max', 'Use maxRetryDelay.'],
  ['retry_jitter', 'Use jitter: true.'],
  ['jobId', TASK_ID],
  ['task_id', TASK_ID],
  ['taskId', TASK_ID],
  ['deduplication', DEDUPE],
  ['debounce', DEDUPE],
  ['singletonKey', DEDUPE],
  ['dedupe', DEDUPE],
  ['removeOnComplete', RETENTION],
  ['removeOnFail', RETENTION],
  ['ignore_result', RETENTION],
  ['result_expires', RETENTION],
  ['resultTtl', RETENTION],
  ['repeat', SCHEDULE],
  ['cron', SCHEDULE],
  ['every', SCHEDULE],
  ['pattern', SCHEDULE],
  ['repeatJobKey', SCHEDULE],
  ['tz', TIME_ZONE],
  ['timeZone', TIME_ZONE],
  ['utcOffset', TIME_ZONE],
  ['waitForCompletion', OVERLAP],
  ['protect', OVERLAP],
  ['threshold', MISSED],
  ['startDate', 'Use start, a Date.'],
  ['endDate', 'Use end, a Date.'],
  ['immediately', 'Call schedules.trigger(name) for a first job.'],
  [
    'initialDelay',
    'An occurrence runs only after the application has started. Use start for a later first one.',
  ],
  ['unrefTimeout', 'A schedule ends with the application: close it.'],
  [
    'lifo',
    'Jobs of the same priority run in the order of submission. Use priority: lower numbers run first.',
  ],
  ['concurrency', CONCURRENCY],
  ['worker_concurrency', CONCURRENCY],
  ['limiter', RATE],
  ['rate_limit', RATE],
  ['countdown', DELAY],
  ['eta', DELAY],
  ['startAfter', DELAY],
  ['delay', DELAY],
  ['runAt', DELAY],
  ['priority', 'Set priority at submission: with({ priority: 1 }).'],
  ['metadata', 'Set metadata at submission: with({ metadata: { … } }).'],
  ['queue', "Set the task's queue: @Task({ queue }), or forRoot({ tasks: { 'Class.method': { queue } } })."],
  ['time_limit', TIMEOUT],
  ['soft_time_limit', TIMEOUT],
  ['expireInSeconds', "Use expires, such as '1h'."],
  ['acks_late', 'Every job is acknowledged after its attempt: delivery is at least once.'],
  ['bind', 'A task takes its context as its last parameter: @TaskCtx() ctx: TaskContext.'],
  ['parent', FLOW],
  ['link', FLOW],
  ['link_error', 'Use deadLetter: the name of a task that receives each job that has failed.'],
  ['connection', CONNECTION],
  ['redis', CONNECTION],
  ['broker', CONNECTION],
  ['broker_url', CONNECTION],
  ['result_backend', 'Use backend. Without one, the engine keeps the results.'],
  ['lockDuration', 'Use lease, an option of the engine: bullmq({ connection, lease }).'],
  ['maxStalledCount', 'Use maxRescues, an option of the engine: bullmq({ connection, maxRescues }).'],
  [
    'defaultJobOptions',
    "Set options of tasks in @Task({ … }), or by name in forRoot({ tasks: { 'Class.method': { … } } }).",
  ],
]);

/** The option to use in the place of one that has another name, or another place, in Flowrra. */
export function insteadOf(option: string): string | undefined {
  return INSTEAD.get(option);
}
