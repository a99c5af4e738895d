import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { redisAnswers } from './answers.mjs';
import { PrivateServer } from './private-server.mjs';

/** A private Redis. Unless it is durable, its data ends with it: also in stop(), kill() and restart(). */
export class RedisServer extends PrivateServer {
  name = 'Redis';
  stopSignal = 'SIGTERM';
  #program;
  #folder;
  #durable;
  #cluster;

  constructor({ program, folder, durable, cluster }) {
    super();
    this.#program = program;
    this.#folder = join(folder, 'redis');
    this.#durable = durable;
    this.#cluster = cluster;
    this.log = join(folder, 'redis.log');
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async prepare() {
    mkdirSync(this.#folder);
  }

  command(port) {
    const settings = {
      port,
      bind: '127.0.0.1',
      dir: this.#folder,
      save: '',
      appendonly: this.#durable ? 'yes' : 'no',
      appendfsync: 'always',
      'cluster-enabled': this.#cluster ? 'yes' : 'no',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return { file: this.#program, args, options: { cwd: this.#folder } };
  }

  answers(port, pid) {
    return redisAnswers({ host: '127.0.0.1', port }, pid);
  }
}
