import Database from 'better-sqlite3';
import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { FlowrraModule, FlowrraService, Task, TaskContext, TaskCtx } from 'flowrra';
import { outbox } from 'flowrra/outbox';

@Injectable()
class Mail {
  sent: string[] = [];
  constructor(@Inject('db') readonly db: Database.Database) {}
  @Task({ maxRetries: 0 })
  async receipt(id: string) {
    this.sent.push(id);
    return `sent ${id}`;
  }
  effects = 0;
  @Task({ maxRetries: 2, retryDelay: 0 })
  async pay(id: string, @TaskCtx() ctx: TaskContext) {
    const got = this.db.transaction(() =>
      ctx.onceSync(this.db, () => ({ n: ++this.effects, at: new Date(5) })),
    )();
    if (ctx.attempt < 3) throw new Error('again');
    return got;
  }
}

describe('outbox', () => {
  test('commit, rollback, once', async () => {
    const db = new Database(':memory:');
    const module = await Test.createTestingModule({
      imports: [FlowrraModule.forRoot({ outbox: outbox({ database: db }) })],
      providers: [Mail, { provide: 'db', useValue: db }],
    }).compile();
    await module.init();
    const flowrra = module.get(FlowrraService);
    const mail = module.get(Mail);
    const id = db.transaction(() => flowrra.within(db).submitSync(mail.receipt, 'a'))();
    expect(await flowrra.getResult(id)).toMatchObject({ status: 'pending' });
    expect(await flowrra.waitForResult(id)).toMatchObject({ status: 'success', result: 'sent a' });
    let lost = '';
    expect(() =>
      db.transaction(() => {
        lost = flowrra.within(db).submitSync(mail.receipt, 'b');
        throw new Error('rolled back');
      })(),
    ).toThrow('rolled back');
    expect(await flowrra.outbox.relay()).toBe(0);
    expect(await flowrra.getResult(lost)).toBeNull();
    expect(mail.sent).toEqual(['a']);
    const paid = await flowrra.submit(mail.pay, 'x');
    expect(await flowrra.waitForResult(paid)).toMatchObject({ result: { n: 1, at: new Date(5) } });
    expect(() => flowrra.within(db).submitSync(mail.receipt, 'c')).toThrow(/no transaction/);
    await module.close();
  });
});
