import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 5;

/** Descriptions of the waits that have not ended. */
const open = new Set<{ readonly describe: string }>();

/**
 * Waits until the condition holds. It has no time limit of its own: a busy machine may take long.
 * If the test's time limit ends it, the test's error says what was waited for.
 */
export async function until(condition: () => unknown, wait: { readonly describe: string }): Promise<void> {
  open.add(wait);
  try {
    while (open.has(wait) && !(await condition())) await pause(LOOK_MS);
  } finally {
    open.delete(wait);
  }
}

afterEach(() => {
  const waits = [...open];
  open.clear();
  if (waits.length > 0) throw new Error(`Still waiting: ${waits.map(({ describe }) => describe).join('; ')}`);
});
