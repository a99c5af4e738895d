import { setTimeout as pause } from 'node:timers/promises';

/** Between two looks: more and more, so that looking is no load where it takes long. */
const FIRST_MS = 2;
const LONGEST_MS = 100;

/** Descriptions of the waits that have not ended. */
const open = new Set<{ readonly describe: string }>();

/**
 * Waits until the condition holds. It has no time limit of its own: a busy machine may take long.
 * If the test's time limit ends it, the test's error says what was waited for.
 */
export async function until(condition: () => unknown, wait: { readonly describe: string }): Promise<void> {
  open.add(wait);
  try {
    for (let ms = FIRST_MS; open.has(wait) && !(await condition()); ms = Math.min(2 * ms, LONGEST_MS))
      await pause(ms);
  } finally {
    open.delete(wait);
  }
}

afterEach(() => {
  const waits = [...open];
  open.clear();
  if (waits.length > 0) throw new Error(`Still waiting: ${waits.map(({ describe }) => describe).join('; ')}`);
});
