import {
  Controller,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  Param,
  Post,
  Scope,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory, REQUEST } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { FlowrraModule, FlowrraService, Task, TaskContext, type TaskResult } from '../../lib/index.js';
import { Gate } from '../support/gate.js';

let gate: Gate;
let running: Gate;
beforeEach(() => {
  gate = new Gate();
  running = new Gate();
});

interface HttpRequest {
  readonly headers: Record<string, string>;
}

/** Made for each request, to submit on its behalf; and for each job, to do what was submitted. */
@Injectable({ scope: Scope.REQUEST })
class Orders {
  constructor(
    @Inject(REQUEST) private readonly request: HttpRequest | TaskContext,
    private readonly flowrra: FlowrraService,
  ) {}

  place(order: string): Promise<string> {
    const { headers } = this.request as HttpRequest;
    return this.flowrra.with({ metadata: { user: headers['x-user'] } }).submit(this.book, order);
  }

  @Task()
  book(order: string): string {
    const { metadata } = this.request as TaskContext;
    return `${order} for ${String(metadata['user'])}`;
  }
}

@Injectable()
class Slow {
  @Task()
  async work(): Promise<string> {
    running.open();
    await gate.passed;
    return 'done';
  }
}

@Controller('orders')
class OrdersController {
  constructor(
    private readonly orders: Orders,
    private readonly flowrra: FlowrraService,
  ) {}

  @Post(':order')
  place(@Param('order') order: string): Promise<string> {
    return this.orders.place(order);
  }

  @Get(':taskId')
  result(@Param('taskId') taskId: string): Promise<TaskResult | null> {
    return this.flowrra.getResult(taskId);
  }
}

@Module({
  imports: [FlowrraModule.forRoot()],
  providers: [Orders, Slow],
  controllers: [OrdersController],
})
class Root {}

describe.each<[string, () => AbstractHttpAdapter]>([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('on %s', (_platform, adapter) => {
  let app: INestApplication;
  let flowrra: FlowrraService;
  let url: string;
  beforeEach(async () => {
    app = await NestFactory.create(Root, adapter(), { logger: ['error', 'warn'], abortOnError: false });
    await app.listen(0, '127.0.0.1');
    url = `${await app.getUrl()}/orders`;
    flowrra = app.get(FlowrraService);
  });
  afterEach(() => app.close());

  const place = async (order: string, user: string): Promise<string> =>
    (await fetch(`${url}/${order}`, { method: 'POST', headers: { 'x-user': user } })).text();

  it('a request-scoped provider submits its own task, and each side has its own request', async () => {
    const ids = await Promise.all(['ada', 'bob', 'cy'].map((user, index) => place(`order-${index}`, user)));
    const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
    expect(results.map(({ result }) => result)).toEqual([
      'order-0 for ada',
      'order-1 for bob',
      'order-2 for cy',
    ]);
  });

  it('a result is an answer as it is', async () => {
    const id = await place('order-1', 'ada');
    await flowrra.waitForResult(id);
    expect(await (await fetch(`${url}/${id}`)).json()).toMatchObject({
      taskId: id,
      taskName: 'Orders.book',
      status: 'success',
      result: 'order-1 for ada',
      submittedAt: expect.stringMatching(/^\d{4}-/) as string,
      isSuccess: true,
    });
  });

  it('drains while requests are still answered, what those submit included, and then stops listening', async () => {
    const slow = await flowrra.submit('Slow.work');
    const ends: string[] = [];
    flowrra.events$.subscribe(({ type, taskName }) => {
      if (type === 'succeeded') ends.push(taskName);
    });
    await running.passed;
    const closed = app.close();
    const late = await place('late', 'ada');
    expect(await (await fetch(`${url}/${slow}`)).json()).toMatchObject({ status: 'running' });
    gate.open();
    await closed;
    expect(late).toEqual(expect.any(String));
    expect(ends.sort()).toEqual(['Orders.book', 'Slow.work']);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});
