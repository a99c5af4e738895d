import { Module } from '@nestjs/common';
import { EmailTasks } from './email.tasks.js';
import { Mailer } from './mailer.js';

@Module({ providers: [Mailer, EmailTasks], exports: [Mailer, EmailTasks] })
export class MailModule {}
