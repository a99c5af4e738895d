// sample-app/receipts.spec.ts
import { Test } from '@nestjs/testing';
import { FlowrraTesting, FlowrraTestingModule } from 'flowrra/testing';
import { ReceiptTasks } from './snippets.js';

it('sends a receipt in the background', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot()],
    providers: [ReceiptTasks],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);

  const taskId = await flowrra.with({ delay: '5m' }).submit('ReceiptTasks.sendReceipt', 'order-1');
  await flowrra.clock.advance('5m');

  expect(await flowrra.getResult(taskId)).toMatchObject({ status: 'success' });
  expect(module.get(ReceiptTasks).sent).toEqual(['order-1']);
  await module.close();
});
