import { backPressureCases } from './back-pressure.cases.js';
import { bulkCases } from './bulk.cases.js';
import { cancelCases } from './cancel.cases.js';
import { contextCases } from './context.cases.js';
import { deadLetterCases } from './dead-letter.cases.js';
import { Beds, type EngineUnderTest } from './engine-under-test.js';
import { dedupeCases } from './dedupe.cases.js';
import { durabilityCases } from './durability.cases.js';
import { enhancerCases } from './enhancer.cases.js';
import { hostileCases } from './hostile.cases.js';
import { hostileScheduleCases } from './hostile-schedule.cases.js';
import { interplayCases } from './interplay.cases.js';
import { jobsCases } from './jobs.cases.js';
import { limitCases } from './limit.cases.js';
import { orderCases } from './order.cases.js';
import { ownIdCases } from './own-id.cases.js';
import { payloadCases } from './payload.cases.js';
import { requeueCases } from './requeue.cases.js';
import { reportCases } from './report.cases.js';
import { resultCases } from './result.cases.js';
import { retryCases } from './retry.cases.js';
import { durableCases } from './durable.cases.js';
import { durableCallCases } from './durable-call.cases.js';
import { durableChildrenCases } from './durable-children.cases.js';
import { durableEndCases } from './durable-end.cases.js';
import { durableStopCases } from './durable-stop.cases.js';
import { scheduleCases } from './schedule.cases.js';
import { scheduleStoreCases } from './schedule-store.cases.js';
import { stopCases } from './stop.cases.js';
import { submissionCases } from './submission.cases.js';
import { watchCases } from './watch.cases.js';
import { tagsCases } from './tags.cases.js';

/**
 * The behaviour that every engine shares, run once for each. It speaks to the engine through a
 * Nest application and nothing else, as users do.
 */
export function describeEngine(engine: EngineUnderTest): void {
  describe(`the engine '${engine.folder}'`, () => {
    const beds = new Beds(engine);
    afterEach(() => beds.closeAll());

    describe('submission', () => submissionCases(beds));
    describe('an id of the submitter', () => ownIdCases(beds, engine));
    describe('order', () => orderCases(beds));
    describe('retries', () => retryCases(beds));
    describe('results', () => resultCases(beds));
    describe('payloads', () => payloadCases(beds));
    describe('context', () => contextCases(beds));
    describe('back-pressure', () => backPressureCases(beds));
    describe('hostile tasks', () => hostileCases(beds));
    describe('cancelling', () => cancelCases(beds, engine));
    describe('dedupe', () => dedupeCases(beds, engine));
    describe('reports', () => reportCases(beds, engine));
    describe('watching', () => watchCases(beds, engine));
    describe('limits', () => limitCases(beds, engine));
    describe('jobs', () => jobsCases(beds));
    describe('tags', () => tagsCases(beds));
    describe('retrying failed jobs', () => requeueCases(beds));
    describe('operations on many jobs', () => bulkCases(beds));
    describe('dead letters', () => deadLetterCases(beds));
    describe('enhancers', () => enhancerCases(beds));
    describe('enhancers among themselves', () => interplayCases(beds));
    describe('schedules', () => scheduleCases(beds, engine));
    describe('durable tasks', () => durableCases(beds, engine));
    describe('calls of durable tasks', () => durableCallCases(beds, engine));
    describe('ends of durable tasks', () => durableEndCases(beds, engine));
    describe('child jobs of durable tasks', () => durableChildrenCases(beds, engine));
    describe('durable tasks that are left behind', () => durableStopCases(beds, engine));
    describe('hostile schedules', () => hostileScheduleCases(beds, engine));
    describe('stored schedules', () => scheduleStoreCases(beds, engine));
    describe('durability', () => durabilityCases(beds, engine));
    describe('start and stop', () => stopCases(beds, engine));
  });
}
