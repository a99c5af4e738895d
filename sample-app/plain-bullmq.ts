import { Queue } from 'bullmq';

const queue = new Queue('default', { prefix: 'flowrra', connection: { url: process.env['TASKS_URL'] } });
await queue.add('ReceiptTasks.sendReceipt', { args: ['order-9'] }, { jobId: 'receipt-9' });
await queue.close();
