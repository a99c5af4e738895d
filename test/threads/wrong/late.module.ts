import { Module, type OnModuleInit } from '@nestjs/common';
import { Priced, Rates } from './work.js';

let starts = 0;

/** As one whose server is away at first. */
@Module({ providers: [Rates, Priced] })
export default class LateModule implements OnModuleInit {
  onModuleInit(): void {
    if (++starts === 1) throw new Error('the server is away');
  }
}
