import { Injectable } from '@nestjs/common';
import { FlowrraConfigError, type FlowrraModuleOptions, SnoozeTaskError, Task } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Bed, Beds } from './engine-under-test.js';

@Injectable()
class Log {
  readonly ran: string[] = [];
  running = 0;
  peak = 0;
  gate = new Gate();
  during: (name: string) => unknown = () => undefined;

  @Task()
  note(name: string): void {
    this.ran.push(name);
    this.during(name);
  }

  @Task()
  async hold(): Promise<void> {
    this.peak = Math.max(this.peak, ++this.running);
    await this.gate.passed;
    this.running--;
  }

  @Task({ queue: 'side' })
  async side(name: string): Promise<void> {
    this.ran.push(name);
    await this.gate.passed;
  }

  @Task({ cpuBound: true })
  cpu(name: string): void {
    this.ran.push(name);
  }
}

export function orderCases(beds: Beds): void {
  const start = (options: FlowrraModuleOptions = {}): Promise<Bed> =>
    beds.start([Log], { queues: { side: { concurrency: 1 } }, ...options });

  it('runs lower priority numbers first, and equal ones in the order of submission', async () => {
    const { flowrra, app, advance } = await start({ numWorkers: 1 });
    const log = app.get(Log);
    await flowrra.submit(log.hold);
    await advance(0);
    for (const [name, priority] of [
      ['c1', 2_097_151],
      ['b1', 5],
      ['a1', 0],
      ['b2', 5],
      ['a2', 0],
      ['c2', 2_097_151],
    ] as const) {
      await flowrra.with({ priority }).submit(log.note, name);
    }
    log.gate.open();
    await advance(0);
    expect(log.ran).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
  });

  it.each([-1, 1.5, 2_097_152, NaN, '1'])('refuses the priority %p', async (priority) => {
    const { flowrra } = await start();
    expect(() => flowrra.with({ priority: priority as number })).toThrow(FlowrraConfigError);
  });

  it('starts a delayed job when it is due and not before, whatever comes in between', async () => {
    const { flowrra, app, advance, clock } = await start();
    const log = app.get(Log);
    await flowrra.with({ delay: '2s' }).submit(log.note, 'two');
    await flowrra.with({ delay: 1_000 }).submit(log.note, 'one');
    await flowrra.with({ runAt: new Date(clock.now() + 3_000) }).submit(log.note, 'three');
    await flowrra.with({ runAt: new Date(clock.now() - 1) }).submit(log.note, 'now');
    await advance(999);
    expect(log.ran).toEqual(['now']);
    await advance(1);
    expect(log.ran).toEqual(['now', 'one']);
    await advance(2_000);
    expect(log.ran).toEqual(['now', 'one', 'two', 'three']);
  });

  it('a delayed job takes its place among its equals when it is due', async () => {
    const { flowrra, app, advance } = await start({ numWorkers: 1 });
    const log = app.get(Log);
    await flowrra.with({ delay: 100 }).submit(log.note, 'delayed');
    await flowrra.submit(log.hold);
    await advance(50);
    await flowrra.submit(log.note, 'earlier');
    await advance(100);
    await flowrra.with({ priority: 1 }).submit(log.note, 'less urgent');
    log.gate.open();
    await advance(0);
    expect([...log.ran].sort()).toEqual(['delayed', 'earlier', 'less urgent']);
    expect(log.ran.at(-1)).toBe('less urgent');
  });

  it('runs as many of a queue at once as it may, and no queue waits for another', async () => {
    const { flowrra, app, advance } = await start({ numWorkers: 3 });
    const log = app.get(Log);
    await flowrra.submitMany(
      log.hold,
      Array.from({ length: 10 }, () => []),
    );
    await advance(0);
    expect(log.running).toBe(3);
    await flowrra.submit(log.side, 'side 1');
    await flowrra.submit(log.side, 'side 2');
    await advance(0);
    expect(log.ran).toEqual(['side 1']);
    log.gate.open();
    await advance(0);
    expect(log.ran).toEqual(['side 1', 'side 2']);
    expect(log.peak).toBe(3);
    expect(log.running).toBe(0);
  });

  it('CPU-bound jobs have places of their own', async () => {
    const { flowrra, app, advance } = await start({ numWorkers: 1, cpuWorkers: 1 });
    const log = app.get(Log);
    await flowrra.submit(log.hold);
    await advance(0);
    await flowrra.submit(log.cpu, 'cpu');
    await advance(0);
    expect(log.ran).toEqual(['cpu']);
  });

  it('a job that waits for its retry, or snoozes, holds no place', async () => {
    const { flowrra, app, advance } = await start({ numWorkers: 1 });
    const log = app.get(Log);
    flowrra.register({ name: 'fails' }, () => {
      throw new Error('down');
    });
    flowrra.register({ name: 'snoozes' }, () => {
      throw new SnoozeTaskError('1h');
    });
    await flowrra.submit('fails');
    await flowrra.submit('snoozes');
    await flowrra.submit(log.note, 'next');
    await advance(0);
    expect(log.ran).toEqual(['next']);
  });

  it('drains a long queue of mixed priorities completely', async () => {
    const { flowrra, app, advance } = await start();
    const log = app.get(Log);
    const names = Array.from({ length: 2_000 }, (_, n) => `job ${n}`);
    await Promise.all(
      names.map((name, n) => flowrra.with({ priority: (n * 7919) % 50 }).submit(log.note, name)),
    );
    while (log.ran.length < names.length) await advance(1);
    expect([...log.ran].sort()).toEqual([...names].sort());
    expect(await flowrra.pendingCount()).toBe(0);
  });

  it('a job that holds the process up for a moment leaves no other one behind', async () => {
    const { flowrra, app, clock } = await start();
    const log = app.get(Log);
    log.during = (name) => name === 'slow' && clock.sleep(15);
    for (let jobs = 5; jobs < 25; jobs++) {
      const names = Array.from({ length: jobs }, (_, n) => (n === jobs >> 1 ? 'slow' : 'quick'));
      const ids = await flowrra.submitMany(
        log.note,
        names.map((name): [string] => [name]),
      );
      // Nothing else comes that would have them found.
      await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    }
    expect(await flowrra.pendingCount()).toBe(0);
  });
}
