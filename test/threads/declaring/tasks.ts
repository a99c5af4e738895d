import { Injectable } from '@nestjs/common';
import { Task } from 'flowrra';
import { CpuTask, NamedCpuTask } from './composed.js';

@Injectable()
export class Plain {
  @Task({ cpuBound: true })
  work(word: string): string {
    return `plain ${word}`;
  }

  @CpuTask()
  composed(word: string): string {
    return `composed ${word}`;
  }

  @NamedCpuTask('wrapped')
  wrapped(word: string): string {
    return `wrapped ${word}`;
  }
}
