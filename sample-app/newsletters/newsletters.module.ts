// sample-app/newsletters/newsletters.module.ts
import { Module } from '@nestjs/common';
import { FlowrraModule } from 'flowrra';
import { MailModule } from '../mail/mail.module.js';
import { NewsletterTasks } from './newsletter.tasks.js';
import { NewslettersController } from './newsletters.controller.js';

@Module({
  imports: [MailModule, FlowrraModule.forFeature({ queues: { newsletters: { fleetConcurrency: 1 } } })],
  controllers: [NewslettersController],
  providers: [NewsletterTasks],
})
export class NewslettersModule {}
