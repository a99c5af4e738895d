// sample-app/receipts.spec.ts
import { Test } from '@nestjs/testing';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { ReceiptTasks } from './snippets.js';

it('sends a receipt in the background', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraModule.forRoot({ cpu: { mode: 'inline' } })],
    providers: [ReceiptTasks],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraService);

  const taskId = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');

  expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success' });
  expect(module.get(ReceiptTasks).sent).toEqual(['order-1']);
  await module.close();
});
