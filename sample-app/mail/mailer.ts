import { Injectable, Logger } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import { settings } from '../config/settings.js';

/** Sends mail to the SMTP server it is pointed at; without one it only says what it would send. */
@Injectable()
export class Mailer {
  private readonly logger = new Logger(Mailer.name);
  private readonly transport: Transporter = settings.smtpUrl
    ? createTransport(settings.smtpUrl)
    : createTransport({ jsonTransport: true });

  async send(to: string, subject: string, text: string): Promise<string> {
    const { messageId } = (await this.transport.sendMail({
      from: 'hello@example.com',
      to,
      subject,
      text,
    })) as {
      messageId: string;
    };
    this.logger.log(`${settings.smtpUrl ? 'Sent' : 'Would send'} '${subject}' to ${to}`);
    return messageId;
  }
}
