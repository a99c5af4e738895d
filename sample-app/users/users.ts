import { Injectable } from '@nestjs/common';

export interface User {
  email: string;
  name: string;
}

/** Stands in for a repository. */
@Injectable()
export class Users {
  private readonly byEmail = new Map<string, User>();

  add(user: User): User {
    this.byEmail.set(user.email, user);
    return user;
  }
}
