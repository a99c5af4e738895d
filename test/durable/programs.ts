import type { Action, Program, StepAction } from './fixtures/program.js';

/** A program of a root job, and what the test does with it. */
export interface Plan {
  readonly program: Program;
  /** Whether the job is cancelled at some time. */
  readonly isCancelled: boolean;
}

type Random = () => number;

const DEEPEST = 2;
const LONGEST_MS = 12;

export function randomPlan(random: Random, path: string): Plan {
  const isCancelled = random() < 0.2;
  return { program: randomProgram(random, path, 0, isCancelled), isCancelled };
}

/** @param isCancelled Whether it may contain waits that only a cancellation ends. */
function randomProgram(random: Random, path: string, depth: number, isCancelled: boolean): Program {
  let names = 0;
  const name = (): string => `a${names++}`;
  const chance = (probability: number): boolean => random() < probability;
  const ms = (): number => 1 + Math.trunc(random() * LONGEST_MS);

  const step = (): StepAction => ({
    kind: 'step',
    name: name(),
    fails: chance(0.25) ? 1 + Math.trunc(random() * 2) : 0,
    heals: chance(0.7),
    retries: Math.trunc(random() * 3),
    canUndo: chance(0.6),
    isCaught: chance(0.4),
    ms: chance(0.5) ? ms() : 0,
  });
  const child = (): Action => {
    const own = name();
    return {
      kind: 'child',
      name: own,
      program: randomProgram(random, `${path}/${own}`, depth + 1, isCancelled),
      isCaught: chance(0.5),
    };
  };
  const submission = (): Action => {
    const own = name();
    return { kind: 'submit', name: own, program: randomProgram(random, `${path}/${own}`, depth + 1, false) };
  };
  const each = (): Action => {
    const own = name();
    const items = Array.from({ length: 1 + Math.trunc(random() * 4) }, () => ({ ...step(), canUndo: false }));
    return { kind: 'each', name: own, items };
  };
  const action = (isInGroup: boolean): Action => {
    const drawn = random();
    if (drawn < 0.45) return step();
    if (drawn < 0.55) return { kind: 'sleep', name: name(), ms: ms() };
    if (drawn < 0.65) return { kind: 'signal', name: name(), isSent: !(isCancelled && chance(0.3)) };
    if (drawn < 0.7) return { kind: 'late', name: name(), ms: ms() };
    if (drawn < 0.83) return depth < DEEPEST ? child() : step();
    if (drawn < 0.87) return depth < DEEPEST ? submission() : step();
    if (drawn < 0.91) return each();
    if (isInGroup) return step();
    const branches = Array.from({ length: 2 + Math.trunc(random() * 2) }, () => actions(2, true));
    return { kind: 'group', branches };
  };
  const actions = (most: number, isInGroup = false): Action[] =>
    Array.from({ length: 1 + Math.trunc(random() * most) }, () => action(isInGroup));

  const failures = chance(0.2) ? 1 + Math.trunc(random() * 2) : 0;
  // A job whose journal is empty is cancelled without an attempt, which would look for its children.
  return { path, failures, actions: [step(), ...actions(depth === 0 ? 5 : 3)] };
}
