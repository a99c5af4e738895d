import { Injectable } from '@nestjs/common';
import { Task } from 'flowrra';

@Injectable()
export class MailTasks {
  readonly sent: string[] = [];

  @Task()
  async receipt(orderId: string): Promise<string> {
    this.sent.push(orderId);
    return `receipt of ${orderId}`;
  }
}
