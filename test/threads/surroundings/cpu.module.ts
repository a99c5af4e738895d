import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, Task } from 'flowrra';

@Injectable()
export class Work {
  private ended!: () => void;
  private readonly afterwards = new Promise<void>((resolve) => (this.ended = resolve));

  constructor(private readonly flowrra: FlowrraService) {}

  @Task({ cpuBound: true })
  async passOn(): Promise<string> {
    await Promise.resolve();
    return this.flowrra.submit('Main.whose');
  }

  /** Goes on after its end, and submits while another one's job runs. */
  @Task({ cpuBound: true })
  linger(): void {
    void this.afterwards.then(() => this.flowrra.with({ taskId: 'lingering' }).submit('Main.whose'));
  }

  @Task({ cpuBound: true })
  async waken(): Promise<string> {
    this.ended();
    return this.passOn();
  }
}

@Module({ imports: [FlowrraModule.forRoot()], providers: [Work] })
export default class CpuModule {}
