import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { finalize, type Observable } from 'rxjs';

/** Says how long something took, whether a request or a task. */
@Injectable()
export class TimingInterceptor implements NestInterceptor {
  private readonly logger = new Logger(TimingInterceptor.name);

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const name = `${context.getClass().name}.${context.getHandler().name}`;
    const started = performance.now();
    return next
      .handle()
      .pipe(finalize(() => this.logger.log(`${name} took ${Math.round(performance.now() - started)} ms`)));
  }
}
