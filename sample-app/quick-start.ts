// sample-app/quick-start.ts
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Controller,
  Get,
  Injectable,
  Module,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService, Task } from 'flowrra';

@Injectable()
export class EmailTasks {
  @Task({ maxRetries: 5, retryDelay: '2s', backoff: 'exponential' })
  async sendWelcome(to: string, name: string): Promise<{ messageId: string }> {
    await pause(100); // in place of a mail server
    console.log(`Hello ${name}, this goes to ${to}`);
    return { messageId: '42' };
  }
}

@Controller()
export class UsersController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Post('users/:name')
  async register(@Param('name') name: string) {
    const tasks = this.flowrra.tasks(EmailTasks);
    const taskId = await tasks.sendWelcome(`${name}@example.com`, name);
    return { taskId };
  }

  @Get('tasks/:taskId')
  async status(@Param('taskId') taskId: string) {
    const result = await this.flowrra.getResult(taskId);
    if (result === null) throw new NotFoundException();
    return result;
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
  await app.listen(process.env.PORT ?? 3000);
  return app;
}

export const app = bootstrap();
