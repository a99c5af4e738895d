import { TaskNotFoundError } from '../../lib/index.js';
import { First, Second, startingApps } from './starting-apps.js';

const start = startingApps();

describe('which task a function means', () => {
  it('rejects a method of two subclasses, a bound one and a spied one, and suggests alternatives', async () => {
    const { app, flowrra } = await start({ providers: [First, Second] });
    const first = app.get(First);
    await expect(flowrra.submit(first.name)).rejects.toThrow(/shared.*tasks\(TheClass\)\.name/s);
    await expect(flowrra.submit(first.name.bind(first))).rejects.toThrow(/bound.*tasks\(TheClass\)\.name/s);
    const spied = Object.assign(() => 'spy', { _isMockFunction: true });
    await expect(flowrra.submit(spied)).rejects.toThrow(/spied.*tasks\(TheClass\)/s);
    expect((await flowrra.waitForResult(await flowrra.submit(first.overridden))).result).toBe(
      'first, not base',
    );
  });

  it('runs a spy that has replaced the method', async () => {
    const { app, flowrra } = await start({ providers: [First] });
    app.get(First).overridden = () => 'spied';
    expect((await flowrra.waitForResult(await flowrra.tasks(First).overridden())).result).toBe('spied');
  });

  it('the proxy has no `then` and no symbols, and throws for a name that is no task', async () => {
    const { flowrra } = await start({ providers: [First] });
    const proxy = flowrra.tasks(First) as unknown as Record<string | symbol, unknown>;
    expect(await proxy).toBe(proxy);
    expect(proxy[Symbol.toPrimitive]).toBeUndefined();
    expect(() => proxy['toString']).toThrow(TaskNotFoundError);
    expect(() => proxy['nam']).toThrow(/First\.nam.*name/s);
    expect(() => flowrra.tasks(Second)).toThrow(/Second has no tasks/);
  });

  it('two applications in one process do not see each other', async () => {
    const { flowrra: one } = await start({ providers: [First] });
    const { flowrra: two } = await start({ providers: [Second] });
    const events: string[] = [];
    two.events$.subscribe(({ type }) => events.push(type));
    const id = await one.submit('First.name');
    await one.waitForResult(id);
    expect(await two.getResult(id)).toBeNull();
    await expect(two.submit('First.name')).rejects.toThrow(TaskNotFoundError);
    expect(events).toEqual([]);
  });
});
