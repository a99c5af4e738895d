import { type AddressInfo, type Server } from 'node:net';
import {
  Body,
  Controller,
  type INestApplication,
  type INestMicroservice,
  Inject,
  Injectable,
  Module,
  Post,
  Scope,
} from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import {
  type ClientProxy,
  ClientProxyFactory,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  type RequestContext,
  TcpContext,
  Transport,
} from '@nestjs/microservices';
import { firstValueFrom, filter } from 'rxjs';
import { FlowrraModule, FlowrraService, Task } from '../../lib/index.js';
import { Gate } from '../support/gate.js';

const log: string[] = [];
let gate: Gate;
let running: Gate;
beforeEach(() => {
  log.length = 0;
  gate = new Gate();
  running = new Gate();
});

@Injectable()
class Parcels {
  @Task()
  send(to: string): string {
    log.push(`sent to ${to}`);
    return `to ${to}`;
  }

  @Task()
  async slow(): Promise<void> {
    running.open();
    await gate.passed;
    log.push('slow one done');
  }
}

@Controller()
class ParcelsController {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly parcels: Parcels,
  ) {}

  @MessagePattern('parcels.send')
  async send(@Payload() to: string, @Ctx() context: TcpContext): Promise<unknown> {
    const taskId = await this.flowrra.submit(this.parcels.send, `${to} by ${context.getPattern()}`);
    return (await this.flowrra.waitForResult(taskId)).result;
  }

  @MessagePattern('parcels.submit')
  submit(@Payload() to: string): Promise<string> {
    return this.flowrra.submit(this.parcels.send, to);
  }

  @EventPattern('parcels.event')
  async hear(@Payload() to: string): Promise<void> {
    await this.flowrra.submit(this.parcels.send, to);
  }

  @Post()
  post(@Body() { to }: { to: string }): Promise<string> {
    return this.flowrra.submit(this.parcels.send, to);
  }
}

@Controller({ scope: Scope.REQUEST })
class PerMessage {
  constructor(
    private readonly flowrra: FlowrraService,
    @Inject(REQUEST) private readonly message: RequestContext<string>,
  ) {}

  @MessagePattern('parcels.scoped')
  async send(): Promise<unknown> {
    const taskId = await this.flowrra.tasks(Parcels).send(this.message.getData());
    return (await this.flowrra.waitForResult(taskId)).result;
  }
}

@Module({
  imports: [FlowrraModule.forRoot({ numWorkers: 1 })],
  providers: [Parcels],
  controllers: [ParcelsController, PerMessage],
})
class Root {}

const quiet = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const;
const clients: ClientProxy[] = [];
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));

async function clientOf(microservice: INestMicroservice): Promise<ClientProxy> {
  const { port } = microservice.unwrap<Server>().address() as AddressInfo;
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  clients.push(client);
  await client.connect();
  return client;
}

const ask = (client: ClientProxy, pattern: string, to: string): Promise<string> =>
  firstValueFrom(client.send<string>(pattern, to));

describe('an application that is a server of HTTP and of messages', () => {
  let app: INestApplication;
  let client: ClientProxy;
  let flowrra: FlowrraService;
  beforeEach(async () => {
    app = await NestFactory.create(Root, quiet);
    const microservice = app.connectMicroservice(tcp);
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    client = await clientOf(microservice);
    flowrra = app.get(FlowrraService);
  });
  afterEach(() => app.close());

  it('runs tasks that message handlers submit, also handlers that live for one message', async () => {
    expect(await ask(client, 'parcels.send', 'ada')).toBe('to ada by parcels.send');
    expect(await ask(client, 'parcels.scoped', 'bob')).toBe('to bob');
  });

  it('runs tasks that event handlers and HTTP requests submit', async () => {
    const done = firstValueFrom(flowrra.events$.pipe(filter(({ type }) => type === 'succeeded')));
    await firstValueFrom(client.emit('parcels.event', 'cy'), { defaultValue: undefined });
    await done;
    const response = await fetch(await app.getUrl(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to: 'dee' }),
    });
    await flowrra.waitForResult(await response.text());
    expect(log).toEqual(['sent to cy', 'sent to dee']);
  });

  it('drains while messages are still answered, and only then stops listening', async () => {
    await flowrra.submit('Parcels.slow');
    await running.passed;
    const closed = app.close();
    expect(await ask(client, 'parcels.submit', 'late')).toEqual(expect.any(String));
    gate.open();
    await closed;
    expect(log).toEqual(['slow one done', 'sent to late']);
    expect(app.getMicroservices()[0]?.unwrap<Server>().listening).toBe(false);
  });
});

it('a microservice alone runs tasks and drains as well', async () => {
  const app = await NestFactory.createMicroservice(Root, { ...tcp, ...quiet });
  await app.listen();
  const client = await clientOf(app);
  expect(await ask(client, 'parcels.send', 'ada')).toBe('to ada by parcels.send');
  const flowrra = app.get(FlowrraService);
  await flowrra.submit('Parcels.slow');
  await running.passed;
  const closed = app.close();
  gate.open();
  await closed;
  expect(log).toEqual(['sent to ada by parcels.send', 'slow one done']);
  expect(flowrra.isRunning).toBe(false);
});
