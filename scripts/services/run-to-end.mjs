import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeExit } from './leave-nothing.mjs';
import { waitThenKill } from './process-tree.mjs';

const ENDING_BOUND_MS = 5_000;

/** Runs a program which ends by itself; rejects, with its output, unless it does so with 0. */
export async function runToEnd(file, args, options) {
  const child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  // Killed, initdb would leave shared memory behind; it takes about a second.
  const disarm = beforeExit(() => child.pid !== undefined && waitThenKill(child.pid, ENDING_BOUND_MS));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0) throw new Error(`${file} ended with ${code ?? signal}:\n${output.trim()}`);
  } finally {
    disarm();
  }
}
