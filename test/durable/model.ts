import { type Action, FAILED, LATE, type Program, type StepAction, throws } from './fixtures/program.js';

/** The end of a program's job that is not cancelled; `result` is `null` for a job that fails. */
export interface End {
  readonly status: 'success' | 'failed';
  readonly result: unknown;
}

export function signalValue(name: string): string {
  return `signal ${name}`;
}

class Thrown extends Error {
  constructor(readonly isFinal: boolean) {
    super();
  }
}

export function endOf(program: Program): End {
  const done = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    try {
      const result = program.actions.map((action) => valueOf(action, attempt, done));
      if (attempt <= program.failures) throw new Thrown(false);
      return { status: 'success', result };
    } catch (error) {
      if (!(error instanceof Thrown)) throw error;
      if (error.isFinal || attempt === 2) return { status: 'failed', result: null };
    }
  }
}

/** @param done The steps that earlier attempts have finished. */
function valueOf(action: Action, attempt: number, done: Set<string>): unknown {
  switch (action.kind) {
    case 'step':
      if (!done.has(action.name) && throws(action, attempt)) {
        if (action.isCaught) return FAILED;
        throw new Thrown(false);
      }
      done.add(action.name);
      return action.name;
    case 'sleep':
    case 'submit':
      return null;
    case 'each':
      for (const item of action.items) valueOf(item, attempt, done);
      return null;
    case 'signal':
      return signalValue(action.name);
    case 'late':
      return LATE;
    case 'child': {
      const { status, result } = endOf(action.program);
      if (status === 'success') return result;
      if (action.isCaught) return FAILED;
      throw new Thrown(true);
    }
    case 'group':
      return action.branches.map((branch) => branch.map((each) => valueOf(each, attempt, done)));
  }
}

export function stepsOf(actions: readonly Action[]): StepAction[] {
  return actions.flatMap((action) => {
    if (action.kind === 'group') return action.branches.flatMap((branch) => stepsOf(branch));
    if (action.kind === 'each') return [...action.items];
    return action.kind === 'step' ? [action] : [];
  });
}

/** A program and those of its child jobs and submissions, by their paths. */
export function programsOf(program: Program, found = new Map<string, Program>()): Map<string, Program> {
  found.set(program.path, program);
  const visit = (actions: readonly Action[]): void => {
    for (const action of actions) {
      if (action.kind === 'child' || action.kind === 'submit') programsOf(action.program, found);
      if (action.kind === 'group') for (const branch of action.branches) visit(branch);
    }
  };
  visit(program.actions);
  return found;
}

/** Pairs of steps of which the second one begins after the first one has settled. */
export function orderedSteps(program: Program): [before: string, after: string][] {
  const pairs: [string, string][] = [];
  const visit = (actions: readonly Action[], before: readonly string[]): string[] => {
    const settled = [...before];
    for (const action of actions) {
      if (action.kind === 'step') pairs.push(...settled.map((name): [string, string] => [name, action.name]));
      if (action.kind === 'step') settled.push(action.name);
      if (action.kind === 'each') settled.push(...visit(action.items, settled).slice(settled.length));
      if (action.kind === 'group') {
        const inBranches = action.branches.flatMap((branch) => visit(branch, settled).slice(settled.length));
        settled.push(...inBranches);
      }
    }
    return settled;
  };
  visit(program.actions, []);
  return pairs;
}
