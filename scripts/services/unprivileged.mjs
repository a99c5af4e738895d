import { execFileSync } from 'node:child_process';

/** Options of spawn() for a server that refuses to run as root: the first of the users that exists. */
export function unprivileged(server, users) {
  if (process.getuid?.() !== 0) return {};
  const id = (flag, name) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
  for (const name of users) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) };
    } catch {
      continue;
    }
  }
  throw new Error(
    `${server} refuses to run as root, and there is no user ${users.join(' or ')}. Run as a user.`,
  );
}
