import { Module } from '@nestjs/common';
import { Priced } from './work.js';

/** Without the rates, which Priced needs. */
@Module({ providers: [Priced] })
export default class UnresolvedModule {}
