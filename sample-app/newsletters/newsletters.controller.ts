// sample-app/newsletters/newsletters.controller.ts
import { BadRequestException, Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { FlowrraService } from 'flowrra';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import { NewsletterTasks } from './newsletter.tasks.js';

@Controller('newsletters')
export class NewslettersController {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly newsletters: NewsletterTasks,
  ) {}

  @Post()
  @HttpCode(202)
  async send(
    @Body() body: { subject?: unknown; to?: unknown } | undefined,
    @Res({ passthrough: true }) response: Located,
  ): Promise<Accepted> {
    const { subject, to } = body ?? {};
    if (typeof subject !== 'string' || subject === '' || subject.length > 200)
      throw new BadRequestException('subject must be 1 to 200 characters');
    if (!Array.isArray(to) || !to.every((each): each is string => typeof each === 'string'))
      throw new BadRequestException('to must be a list of addresses');
    // Whoever asks twice gets the job that is under way.
    const once = this.flowrra.with({ dedupe: { key: subject } });
    return locate(response, await once.submit(this.newsletters.send, subject, to));
  }
}
