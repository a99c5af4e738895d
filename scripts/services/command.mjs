import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { environment } from './variables.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM'];

/** The command's exit code as a shell would give it. */
async function run([file, ...args], env) {
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  for (const name of SIGNALS) process.on(name, () => child.kill(name));
  try {
    const [code, signal] = await once(child, 'exit');
    return code ?? 128 + constants.signals[signal];
  } catch (error) {
    console.error(`Could not run ${file}: ${error.message}`);
    return 127;
  }
}

async function untilSignal() {
  const idle = setInterval(() => {}, 60_000);
  await Promise.race(SIGNALS.map((name) => once(process, name)));
  clearInterval(idle);
  // A second one while the servers stop must not keep them from it.
  for (const name of SIGNALS) process.on(name, () => {});
  return 0;
}

/** What services.mjs does as a command. */
export async function runCommand(args, startServices) {
  const command = args[0] === '--' ? args.slice(1) : [];
  if (args.length > 0 && command.length === 0) {
    console.error('Usage: node scripts/services/services.mjs [-- COMMAND ARGS…]');
    process.exitCode = 2;
    return;
  }
  let services;
  try {
    services = await startServices({ mariadb: true });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
    return;
  }
  const env = environment(services);
  try {
    if (command.length > 0) {
      process.exitCode = await run(command, env);
    } else {
      for (const [name, value] of Object.entries(env)) console.log(`${name}=${value}`);
      process.exitCode = await untilSignal();
    }
  } finally {
    await services.stop();
  }
}
