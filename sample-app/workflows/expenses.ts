// sample-app/workflows/expenses.ts
import { Body, Controller, Get, HttpCode, Injectable, Module, Param, Post } from '@nestjs/common';
import {
  FlowrraModule,
  FlowrraService,
  type JobStep,
  SignalTimeoutError,
  Task,
  TaskContext,
  TaskCtx,
} from 'flowrra';

interface Expense {
  readonly employee: string;
  readonly amount: number;
}

interface Decision {
  readonly approved: boolean;
  readonly by: string;
}

/** In place of a mail server and a bank. */
@Injectable()
export class Services {
  readonly done: string[] = [];

  async mail(to: string, text: string): Promise<void> {
    this.done.push(`mail to ${to}: ${text}`);
  }

  /** A second call with the same key pays nothing. */
  async pay(to: string, amount: number, key: string): Promise<string> {
    this.done.push(`pay ${amount} to ${to}`);
    return `payment of ${key}`;
  }
}

@Injectable()
export class ExpenseTasks {
  constructor(private readonly services: Services) {}

  @Task({ maxRetries: 5, retryDelay: '10s', backoff: 'exponential' })
  async reimburse({ employee, amount }: Expense, @TaskCtx() ctx: TaskContext): Promise<string> {
    const { services } = this;
    await ctx.step('ask', () => services.mail('boss', `POST /expenses/${ctx.taskId}/decision`));
    const { approved, by } = await this.decision(ctx);
    if (!approved) {
      await ctx.step('tell', () => services.mail(employee, `${by} has rejected it`));
      return 'rejected';
    }
    const payment = await ctx.step('pay', ({ key }) => services.pay(employee, amount, key), {
      maxRetries: 3,
      timeout: '30s',
    });
    await ctx.step('tell', () => services.mail(employee, `${by} has approved it: ${payment}`));
    return 'paid';
  }

  /** After 3 days without a decision, the boss is reminded. After 4 more days, the expense is rejected. */
  private async decision(ctx: TaskContext): Promise<Decision> {
    let decision = await ctx.waitFor<Decision>('decision', { timeout: '3d' }).catch(nullIfLate);
    if (decision === null) {
      await ctx.step('remind', () => this.services.mail('boss', 'an expense still waits for you'));
      decision = await ctx.waitFor<Decision>('decision', { timeout: '4d' }).catch(nullIfLate);
    }
    return decision ?? { approved: false, by: 'the deadline' };
  }
}

function nullIfLate(error: unknown): null {
  if (error instanceof SignalTimeoutError) return null;
  throw error;
}

@Controller('expenses')
export class ExpensesController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Post()
  async add(@Body() expense: Expense): Promise<{ taskId: string }> {
    return { taskId: await this.flowrra.tasks(ExpenseTasks).reimburse(expense) };
  }

  @Post(':taskId/decision')
  @HttpCode(204)
  decide(@Param('taskId') taskId: string, @Body() decision: Decision): Promise<void> {
    return this.flowrra.signal(taskId, 'decision', decision);
  }

  @Get(':taskId')
  async steps(@Param('taskId') taskId: string): Promise<readonly JobStep[]> {
    return (await this.flowrra.jobs.get(taskId))?.steps ?? [];
  }
}

@Module({
  imports: [FlowrraModule.forRoot({ engine: 'sqlite:./expenses.db' })],
  controllers: [ExpensesController],
  providers: [ExpenseTasks, Services],
})
export class ExpensesModule {}
