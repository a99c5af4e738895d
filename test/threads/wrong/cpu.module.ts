import { Module } from '@nestjs/common';
import { Priced, Rates } from './work.js';

@Module({ providers: [Rates, Priced] })
export default class CpuModule {}
