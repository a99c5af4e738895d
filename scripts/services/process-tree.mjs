// Servers fork: a signal for the server has to reach its children as well. The process group does not
// do, since every PostgreSQL backend makes itself the leader of a group of its own.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** Every process as { pid, parent, state }. Minimal Linux images have /proc but no ps. */
function processes() {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).split('\n');
    return lines.filter(Boolean).map((line) => {
      const [pid, parent, state] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), state: state[0] };
    });
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // The second field is the program's name, in parentheses, and may hold blanks and parentheses.
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent), state }];
      } catch {
        return []; // it ended meanwhile
      }
    });
}

/** The process, its children and theirs. */
function tree(root) {
  const all = processes();
  const pids = [root];
  for (const pid of pids) {
    for (const child of all) if (child.parent === pid) pids.push(child.pid);
  }
  return pids;
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Stops the process and everything below it, and returns their ids. */
export function pauseTree(root) {
  // The root first: once it stands still, it starts no further child.
  signal(root, 'SIGSTOP');
  let pids = [root];
  for (let before = 0; before !== pids.length;) {
    before = pids.length;
    pids = tree(root);
    for (const pid of pids) signal(pid, 'SIGSTOP');
  }
  return pids;
}

export function resumeTree(root) {
  for (const pid of tree(root).reverse()) signal(pid, 'SIGCONT');
}

/** Kills the process and everything below it, and returns their ids. */
export function killTree(root) {
  const pids = pauseTree(root);
  for (const pid of pids) signal(pid, 'SIGKILL');
  return pids;
}

/** Whether any of them still runs. A zombie does not: it only waits for its parent to take notice. */
export function anyAlive(pids) {
  const wanted = new Set(pids);
  return processes().some(({ pid, state }) => wanted.has(pid) && state !== 'Z' && state !== 'X');
}

/** Waits for the process to end by itself, and kills it when that takes longer. For the end of this process. */
export function waitThenKill(root, boundMs) {
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (const until = Date.now() + boundMs; anyAlive([root]);) {
    if (Date.now() > until) return killTree(root);
    Atomics.wait(idle, 0, 0, 20);
  }
  return [];
}
