// Installs server packages where that needs nobody's consent: as root on a Debian-like system, which
// in practice is a container or a CI machine.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const POLICY = '/usr/sbin/policy-rc.d';
const WAIT_FOR_LOCK = ['-o', 'DPkg::Lock::Timeout=120'];

function aptGet(...args) {
  const { status, stdout, stderr, error } = spawnSync('apt-get', [...WAIT_FOR_LOCK, ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim();
  return { failed: status !== 0, end: output.split('\n').slice(-10).join('\n') };
}

/**
 * The packages start their services once installed. Only private instances are wanted here, so for as
 * long as this process lives they are told not to. (Debian's main cluster is created nevertheless: it
 * is neither started nor used.)
 */
function withoutStarting(action) {
  if (existsSync(POLICY)) return action();
  writeFileSync(POLICY, `#!/bin/sh\nkill -0 ${process.pid} 2>/dev/null && exit 101\nexit 0\n`, {
    mode: 0o755,
  });
  try {
    return action();
  } finally {
    rmSync(POLICY, { force: true });
  }
}

/** Installs the packages. Returns, as a sentence, why it did not; '' when it did. */
export function installServers(packages) {
  if (process.getuid?.() !== 0) return 'Only root could install them.';
  if (spawnSync('apt-get', ['--version']).error) return 'There is no apt-get to install them with.';
  console.error(`Installing ${packages.join(', ')} …`);
  return withoutStarting(() => {
    const update = aptGet('update');
    const install = aptGet('install', '-y', '--no-install-recommends', ...packages);
    if (!install.failed) return '';
    return `apt-get could not install them:\n${update.failed ? `${update.end}\n` : ''}${install.end}`;
  });
}
