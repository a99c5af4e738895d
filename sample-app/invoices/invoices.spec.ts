// sample-app/invoices/invoices.spec.ts
import { Test } from '@nestjs/testing';
import { FlowrraTesting, FlowrraTestingModule } from 'flowrra/testing';
import { Mailer } from '../mail/mailer.js';
import { carryTenant, tenant } from '../tenant.js';
import { InvoiceTasks } from './invoice.tasks.js';
import { Tenants } from './tenants.js';

const invoice = { number: 'R17', to: 'ada@example.com', amount: 12.5 };
const sent: string[] = [];
const mailer = {
  failures: 0,
  async send(to: string, subject: string, text: string): Promise<string> {
    if (mailer.failures-- > 0) throw new Error('421 service not available');
    sent.push(`${to}: ${subject}: ${text}`);
    return 'message-1';
  },
};

async function start() {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ context: carryTenant })],
    providers: [InvoiceTasks, Tenants, { provide: Mailer, useValue: mailer }],
  }).compile();
  await module.init();
  return { module, flowrra: module.get(FlowrraTesting), tenants: module.get(Tenants) };
}

beforeEach(() => void sent.splice(0));

it('sends an invoice in the name of the tenant, and tries again a minute later', async () => {
  const { module, flowrra } = await start();
  mailer.failures = 1;
  const id = await tenant.run('acme', () => flowrra.tasks(InvoiceTasks).send(invoice as never));
  await flowrra.drain();
  expect(sent).toEqual([]);
  await flowrra.clock.advance('1m');
  expect(sent).toEqual(['ada@example.com: From acme: Invoice R17: please pay 12.50.']);
  expect(await flowrra.getResult(id)).toMatchObject({ result: { messageId: 'message-1' }, retries: 1 });
  await module.close();
});

it('refuses what is no invoice where it is submitted', async () => {
  const { module, flowrra } = await start();
  await expect(flowrra.submit('InvoiceTasks.send', { ...invoice, amount: -1 })).rejects.toMatchObject({
    response: { message: ['amount must be a positive number'] },
  });
  expect(flowrra.submitted()).toEqual([]);
  await module.close();
});

it('sends nothing for a tenant who has been suspended since', async () => {
  const { module, flowrra, tenants } = await start();
  const id = await tenant.run('acme', () => flowrra.tasks(InvoiceTasks).send(invoice as never));
  tenants.suspend('acme');
  await flowrra.drain();
  expect(await flowrra.getResult(id)).toMatchObject({ status: 'failed', retries: 0 });
  expect(sent).toEqual([]);
  await module.close();
});
