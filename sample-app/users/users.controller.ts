// sample-app/users/users.controller.ts
import { BadRequestException, Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { FlowrraService } from 'flowrra';
import { EmailTasks } from '../mail/email.tasks.js';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import { type User, Users } from './users.js';

@Controller('users')
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly emails: EmailTasks,
    private readonly flowrra: FlowrraService,
  ) {}

  @Post()
  @HttpCode(202)
  async register(
    @Body() body: Partial<User> | undefined,
    @Res({ passthrough: true }) response: Located,
  ): Promise<User & Accepted> {
    const { email, name } = body ?? {};
    if (typeof email !== 'string' || !/^[^\s@]+@[^\s@]+$/.test(email)) {
      throw new BadRequestException('email must be an address');
    }
    if (typeof name !== 'string' || name.trim() === '')
      throw new BadRequestException('name must not be empty');
    const user = this.users.add({ email, name });
    const taskId = await this.flowrra.submit(this.emails.sendWelcome, user.email, user.name);
    return { ...user, ...locate(response, taskId) };
  }
}
