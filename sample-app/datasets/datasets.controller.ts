// sample-app/datasets/datasets.controller.ts
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BadRequestException,
  Controller,
  HttpCode,
  Post,
  Res,
  UploadedFile,
  UseInterceptors,
} from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import { FlowrraService } from 'flowrra';
import { settings } from '../config/settings.js';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import { DatasetTasks } from './dataset.tasks.js';

const LARGEST = 20 * 1024 * 1024;

interface Upload {
  originalname: string;
  buffer: Buffer;
}

@Controller('datasets')
export class DatasetsController {
  constructor(
    private readonly datasets: DatasetTasks,
    private readonly flowrra: FlowrraService,
  ) {}

  @Post()
  @HttpCode(202)
  @UseInterceptors(FileInterceptor('file', { limits: { fileSize: LARGEST } }))
  async upload(
    @UploadedFile() file: Upload | undefined,
    @Res({ passthrough: true }) response: Located,
  ): Promise<Accepted> {
    if (!file) throw new BadRequestException('send a CSV file as the form field `file`');
    await mkdir(settings.uploads, { recursive: true });
    const path = join(settings.uploads, `${randomUUID()}.csv`);
    await writeFile(path, file.buffer);
    return locate(response, await this.flowrra.submit(this.datasets.summarise, path, file.originalname));
  }
}
