import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresAnswers } from './answers.mjs';
import { PrivateServer } from './private-server.mjs';
import { runToEnd } from './run-to-end.mjs';
import { unprivileged } from './unprivileged.mjs';

/** A private PostgreSQL. Unless it is durable, kill() may lose what was committed shortly before. */
export class PostgresServer extends PrivateServer {
  name = 'PostgreSQL';
  // "Fast": on SIGTERM it would wait until every client has left by itself.
  stopSignal = 'SIGINT';
  #programs;
  #folder;
  #data;
  #durable;
  #options;

  constructor({ programs, folder, durable }) {
    super();
    this.#programs = programs;
    this.#folder = join(folder, 'postgres');
    this.#data = join(this.#folder, 'data');
    this.#durable = durable;
    this.log = join(folder, 'postgres.log');
    // Its messages are matched, so they have to be in English.
    this.#options = {
      cwd: this.#folder,
      env: { ...process.env, LC_ALL: 'C' },
      ...unprivileged('PostgreSQL', ['postgres', 'nobody']),
    };
  }

  get url() {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  async prepare() {
    mkdirSync(this.#folder);
    const { uid, gid } = this.#options;
    if (uid !== undefined) chownSync(this.#folder, uid, gid);
    const initdb = (locale) =>
      runToEnd(
        join(this.#programs, 'initdb'),
        ['-D', this.#data, '--auth=trust', '-U', 'postgres', '-E', 'UTF8', `--locale=${locale}`, '--no-sync'],
        this.#options,
      );
    try {
      await initdb('C.UTF-8');
    } catch (error) {
      if (!/invalid locale/i.test(error.message)) throw error;
      await initdb('C');
    }
  }

  command(port) {
    const switched = this.#durable ? 'on' : 'off';
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      // The path of a socket has to be short: about 100 characters.
      unix_socket_directories: this.#folder.length < 80 ? this.#folder : '',
      max_connections: 200,
      fsync: switched,
      synchronous_commit: switched,
      // In files of the data folder, which go with it; in /dev/shm they would outlive a kill.
      dynamic_shared_memory_type: 'mmap',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return {
      file: join(this.#programs, 'postgres'),
      args: ['-D', this.#data, ...args],
      options: this.#options,
    };
  }

  /** The lines of postmaster.pid: the id first, the key and id of the shared memory 7th, the status 8th. */
  #lock() {
    try {
      return readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n');
    } catch {
      return [];
    }
  }

  async answers(port, pid) {
    // The file tells our server from another one which took the port.
    const lock = this.#lock();
    if (Number(lock[0]) !== pid || lock[7]?.trim() !== 'ready') return false;
    return postgresAnswers({ host: '127.0.0.1', port });
  }

  /** A killed server leaves a few bytes of System V shared memory, which only its next start would free. */
  release() {
    const [, id] = this.#lock()[6]?.trim().split(/\s+/) ?? [];
    if (id) spawnSync('ipcrm', ['-m', id], { stdio: 'ignore' });
  }
}
