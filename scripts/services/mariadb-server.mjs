import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mariadbAnswers } from './answers.mjs';
import { PrivateServer } from './private-server.mjs';
import { runToEnd } from './run-to-end.mjs';
import { unprivileged } from './unprivileged.mjs';

/** A private MariaDB. Unless it is durable, kill() may lose the commits of the last second. */
export class MariadbServer extends PrivateServer {
  name = 'MariaDB';
  stopSignal = 'SIGTERM';
  #programs;
  #folder;
  #data;
  #pidFile;
  #initFile;
  #durable;
  #options;

  constructor({ programs, folder, durable }) {
    super();
    this.#programs = programs;
    this.#folder = join(folder, 'mariadb');
    this.#data = join(this.#folder, 'data');
    this.#pidFile = join(this.#folder, 'mariadb.pid');
    this.#initFile = join(this.#folder, 'init.sql');
    this.#durable = durable;
    this.log = join(folder, 'mariadb.log');
    this.#options = {
      cwd: this.#folder,
      // PrivateServer matches the messages of the system, so they have to be in English.
      env: { ...process.env, LC_ALL: 'C', TMPDIR: this.#folder },
      ...unprivileged('MariaDB', ['mysql', 'nobody']),
    };
  }

  get url() {
    return `mysql://root@127.0.0.1:${this.port}/test`;
  }

  /** Creates the data folder, with a user root who has no password. */
  async prepare() {
    mkdirSync(this.#folder);
    // mariadb-install-db would create `test` with latin1.
    writeFileSync(this.#initFile, 'CREATE DATABASE IF NOT EXISTS test;\n');
    const { uid, gid } = this.#options;
    if (uid !== undefined) for (const path of [this.#folder, this.#initFile]) chownSync(path, uid, gid);
    const args = [
      '--no-defaults',
      `--datadir=${this.#data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--debug-no-sync',
      ...this.#sharedArgs(),
    ];
    await runToEnd(this.#programs.installDb, args, this.#options);
  }

  #sharedArgs() {
    return [
      // The user of the tests is root@127.0.0.1, not a name that the resolver gives that address.
      '--skip-name-resolve',
      // The built-in default is latin1 before MariaDB 11.6.
      '--character-set-server=utf8mb4',
      '--collation-server=utf8mb4_general_ci',
      // The defaults are 128 MB and 96 MB. The log file is written in full when it is created.
      '--innodb-buffer-pool-size=32M',
      '--innodb-log-file-size=16M',
      // Containers may forbid io_uring, and the kernel limits the requests of AIO over all processes.
      '--innodb-use-native-aio=OFF',
    ];
  }

  command(port) {
    // The path of a socket has to be short: about 100 characters.
    const socket = this.#folder.length < 80 ? join(this.#folder, 'mariadb.sock') : '';
    const commits = this.#durable ? 1 : 0;
    const args = [
      // Skips the option files of the system and of the user. Valid as the first argument only.
      '--no-defaults',
      `--datadir=${this.#data}`,
      `--pid-file=${this.#pidFile}`,
      // The server runs this file before it takes connections.
      `--init-file=${this.#initFile}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${socket}`,
      '--max-connections=200',
      `--innodb-flush-log-at-trx-commit=${commits}`,
      ...(this.#durable ? [] : ['--debug-no-sync']),
      ...this.#sharedArgs(),
    ];
    return { file: this.#programs.server, args, options: this.#options };
  }

  #writtenPid() {
    try {
      return Number(readFileSync(this.#pidFile, 'utf8'));
    } catch {
      return NaN;
    }
  }

  async answers(port, pid) {
    // The file tells this server from another one that took the port.
    return this.#writtenPid() === pid && mariadbAnswers({ host: '127.0.0.1', port });
  }
}
