import { Controller, Get } from '@nestjs/common';

@Controller()
export class IndexController {
  @Get()
  index(): Record<string, string> {
    return {
      'POST /users': 'register { email, name }; a welcome e-mail goes out in the background',
      'POST /datasets': 'upload a CSV as the form field `file`; it is summarised in the background',
      'POST /reports/primes': 'count the primes below { below } in a thread',
      'POST /invoices':
        'send { number, to, amount } in the name of the tenant that the header x-tenant names',
      'POST /newsletters':
        'send { subject, to: [addresses] }, slowly; it says how far it is, and can be cancelled',
      'POST /orders': 'order { id, email, amount }: it is charged, and waits for its approval',
      'POST /orders/:id/approval': 'approve or reject it: { approved, by }',
      'PUT /tenants/:tenant/sync':
        'synchronise this tenant every 15 minutes, until DELETE /tenants/:tenant/sync',
      'GET /tasks/:taskId': 'how a task is doing, and its result',
      'GET /tasks/:taskId/details': 'the same with its arguments and its log',
      'GET /tasks/:taskId/updates': 'its status, progress and log as server-sent events, until its end',
      'DELETE /tasks/:taskId': 'cancel it',
      'POST /tasks/:taskId/retry': 'run a failed one again',
      'GET /health': 'whether all is well',
      'GET /queues': 'how many jobs there are, by queue and status',
      'GET /queues/:queue/failed': 'failed jobs, and why they failed',
      'POST /queues/:queue/pause': 'start no more of its jobs until POST /queues/:queue/resume',
      'GET /schedules': 'jobs that run by the clock: the nightly report, and the tenants',
      'GET /schedules/:name': 'the same of one, with its last occurrences',
      'POST /schedules/:name/pause':
        'submit no more of its jobs until POST /schedules/:name/resume; takes { reason, by }',
      'POST /schedules/:name/trigger': 'submit one of its jobs now',
    };
  }
}
