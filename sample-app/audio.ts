import { Injectable } from '@nestjs/common';
import { FlowrraService, Task, type TaskId } from 'flowrra';

@Injectable()
export class AudioTasks {
  @Task({ queue: 'audio', maxRetries: 3, retryDelay: '2s', backoff: 'exponential' })
  async transcode(file: string, format: string): Promise<{ file: string }> {
    return { file: file.replace(/\w+$/, format) };
  }
}

@Injectable()
export class AudioService {
  constructor(
    private readonly flowrra: FlowrraService,
    private readonly audio: AudioTasks,
  ) {}

  convert(file: string): Promise<TaskId<{ file: string }>> {
    return this.flowrra.with({ priority: 2 }).submit(this.audio.transcode, file, 'mp3');
  }
}
