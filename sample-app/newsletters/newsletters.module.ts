import { Module } from '@nestjs/common';
import { MailModule } from '../mail/mail.module.js';
import { NewsletterTasks } from './newsletter.tasks.js';
import { NewslettersController } from './newsletters.controller.js';

@Module({
  imports: [MailModule],
  controllers: [NewslettersController],
  providers: [NewsletterTasks],
})
export class NewslettersModule {}
