// sample-app/quick-start.ts
import 'reflect-metadata';
import { Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService, Task } from 'flowrra';

@Injectable()
export class EmailTasks {
  @Task({ maxRetries: 5, retryDelay: '2s', backoff: 'exponential' })
  async sendWelcome(to: string, name: string): Promise<{ messageId: string }> {
    console.log(`Hello ${name}, this goes to ${to}`);
    return { messageId: '42' };
  }
}

@Controller()
export class UsersController {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly emails: EmailTasks,
  ) {}

  @Post('users/:name')
  async register(@Param('name') name: string) {
    const taskId = await this.flowrra.submit(this.emails.sendWelcome, `${name}@example.com`, name);
    return { taskId };
  }

  @Get('tasks/:taskId')
  status(@Param('taskId') taskId: string) {
    return this.flowrra.getResult(taskId);
  }
}

@Module({
  imports: [FlowrraModule.forRoot({ numWorkers: 10 })],
  controllers: [UsersController],
  providers: [EmailTasks],
})
export class AppModule {}

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  await app.listen(process.env['PORT'] ?? 3000);
  return app;
}

export const app = bootstrap();
