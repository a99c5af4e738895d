// Whatever ends this process, its servers end with it: a normal end, process.exit(), an uncaught error,
// SIGINT, SIGTERM and SIGHUP. Not SIGKILL, which no process can answer: it leaves the servers running
// and their folder (flowrra-services-… in the system's temporary folder) in place.
import { runInThisContext } from 'node:vm';

// Under Jest `process` is a copy, whose listeners are never called.
const realProcess = runInThisContext('process');
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const pending = new Set();

function cleanAll() {
  // The last first: initdb ends before its folder goes.
  for (const clean of [...pending].reverse()) {
    try {
      clean();
    } catch (error) {
      console.error(`Could not clean up: ${error.message}`);
    }
  }
  pending.clear();
}

function onSignal(name) {
  // Somebody else listens as well: how to end is theirs to say, and 'exit' follows.
  if (realProcess.listenerCount(name) > 1) return;
  cleanAll();
  unlisten();
  realProcess.kill(realProcess.pid, name);
}

function listen() {
  realProcess.on('exit', cleanAll);
  for (const name of SIGNALS) realProcess.on(name, onSignal);
}

function unlisten() {
  realProcess.off('exit', cleanAll);
  for (const name of SIGNALS) realProcess.off(name, onSignal);
}

/** Calls the function, which must be synchronous, when the process ends. Returns how to call that off. */
export function beforeExit(clean) {
  if (pending.size === 0) listen();
  pending.add(clean);
  return () => {
    if (pending.delete(clean) && pending.size === 0) unlisten();
  };
}
