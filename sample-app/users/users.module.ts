import { Module } from '@nestjs/common';
import { MailModule } from '../mail/mail.module.js';
import { UsersController } from './users.controller.js';
import { Users } from './users.js';

@Module({ imports: [MailModule], controllers: [UsersController], providers: [Users] })
export class UsersModule {}
