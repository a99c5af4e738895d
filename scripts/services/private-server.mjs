// One server of our own, from start to stop: what Redis, PostgreSQL and MariaDB have in common.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { anyAlive, killTree, pauseTree, resumeTree } from './process-tree.mjs';

const POLL_MS = 20;
const START_BOUND_MS = 30_000;
const STOP_BOUND_MS = 5_000;

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/**
 * A subclass says: `name`, `log` (a file), `stopSignal`, `url`, `command(port)` as { file, args, options },
 * `answers(port, pid)`.
 */
export class PrivateServer {
  /** Started by us: may be paused and killed. */
  own = true;
  port = undefined;
  #child = undefined;
  #paused = false;

  get #running() {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts the server, and resolves once it answers. A second start keeps the port. */
  async start() {
    const until = Date.now() + START_BOUND_MS;
    for (;;) {
      const port = this.port ?? (await freePort());
      const trouble = await this.#launch(port, until);
      if (trouble === undefined) {
        this.port = port;
        // A forgotten stop() must not keep the process alive; the server ends with it.
        this.#child.unref();
        return;
      }
      // Somebody took the port after we had found it free: another one, or the same one a little later.
      if (!/address (already )?in use/i.test(trouble) || Date.now() > until) throw new Error(trouble);
      await delay(POLL_MS);
    }
  }

  /** Resolves to what went wrong, or undefined. */
  async #launch(port, until) {
    const { file, args, options } = this.command(port);
    const log = openSync(this.log, 'a');
    const from = statSync(this.log).size;
    // A session of its own, so that Ctrl-C in a terminal does not end the server before its clients.
    const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log], ...options });
    closeSync(log);
    this.#child = child;
    let failure = '';
    child.on('error', (error) => (failure = `${error.message}\n`));
    while (Date.now() < until) {
      if (child.pid !== undefined && (await this.answers(port, child.pid))) return undefined;
      await delay(POLL_MS);
      if (!this.#running) return `${this.name} did not start (${file}).\n${failure}${this.#lastLines(from)}`;
    }
    await this.kill();
    return `${this.name} did not answer within ${START_BOUND_MS / 1000} s.\n${this.#lastLines(from)}`;
  }

  #lastLines(from) {
    const text = readFileSync(this.log).subarray(from).toString().trim();
    return text ? `Its log ends with:\n${text.split('\n').slice(-20).join('\n')}` : 'Its log is empty.';
  }

  /** The server stands still: connections stay open, and nothing answers. */
  pause() {
    if (!this.#running) throw new Error(`${this.name} is not running: restart() it before pause()`);
    pauseTree(this.#child.pid);
    this.#paused = true;
  }

  resume() {
    if (this.#paused && this.#running) resumeTree(this.#child.pid);
    this.#paused = false;
  }

  /** Ends the server at once, as a crash would. */
  async kill() {
    if (!this.#running) return;
    this.#child.ref();
    const ended = once(this.#child, 'exit');
    const pids = killTree(this.#child.pid);
    this.#paused = false;
    await ended;
    // The next start fails as long as a backend of this one lives.
    for (const until = Date.now() + STOP_BOUND_MS; anyAlive(pids) && Date.now() < until;)
      await delay(POLL_MS);
  }

  /** Ends the server in order, or by force when that takes too long. */
  async stop() {
    if (!this.#running) return;
    const child = this.#child;
    child.ref();
    const ended = once(child, 'exit');
    this.resume();
    child.kill(this.stopSignal);
    let forced = Promise.resolve();
    const late = setTimeout(() => {
      forced = this.kill();
    }, STOP_BOUND_MS);
    await ended;
    clearTimeout(late);
    await forced;
  }

  /** Starts the server again, also after kill(): same port, same data. */
  async restart() {
    await this.stop();
    await this.start();
  }

  /** Frees what a killed server leaves outside its folder. */
  release() {}

  /** For the end of the process, where nothing can be awaited. */
  killNow() {
    if (this.#running) killTree(this.#child.pid);
    this.release();
  }
}
