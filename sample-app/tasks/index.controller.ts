import { Controller, Get } from '@nestjs/common';

@Controller()
export class IndexController {
  @Get()
  index(): Record<string, string> {
    return {
      'POST /users': 'register { email, name }; a welcome e-mail goes out in the background',
      'POST /datasets': 'upload a CSV as the form field `file`; it is summarised in the background',
      'POST /reports/primes': 'count the primes below { below } in a thread',
      'GET /tasks/:taskId': 'how a task is doing, and its result',
    };
  }
}
