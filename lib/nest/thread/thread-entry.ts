import { AsyncLocalStorage } from 'node:async_hooks';
import { MessageChannel, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { isObservable, lastValueFrom } from 'rxjs';
import { currentTaskHook } from '../../run/current-task-hook.js';
import { PayloadCodec } from '../../job/payload/payload-codec.js';
import { AttemptContext } from '../../run/task-context.js';
import type { LazyAbort } from '../../run/lazy-abort.js';
import type { SubmitOptions } from '../../job/submit-options.js';
import { RunningCall, type RunningCallParts } from './thread-call.js';
import { type FoundCode, ThreadCode } from './thread-code.js';
import { becomeThread } from '../../run/threads/parent-link.js';
import type { FromThread, ThreadCall, ToThread } from '../../run/threads/protocol.js';
import {
  type ThreadAnswer,
  unwire,
  unwireError,
  wire,
  wireError,
  type WiredError,
} from '../../run/threads/wire.js';

/** The entry file of each thread. The pool calls its default export. */
const { module } = workerData as { module: string | null };
const code = new ThreadCode(module);
/** The id of the call whose code runs. Only with a module can code submit jobs. */
const calls = module === null ? null : new AsyncLocalStorage<number>();
/** Without a limit of size, which the parent checks. */
const codec = new PayloadCodec({ maxBytes: Infinity });
const running = new Map<number, RunningCall>();
/** All aborts, since the parent sends each to all threads: the call may be in another thread, or arrive later. */
const aborted = new Map<number, WiredError>();
const requests = new Map<number, { resolve(taskId: string): void; reject(error: unknown): void }>();
let lastRequest = 0;

const { port1: port, port2 } = new MessageChannel();
port.on('message', receive);
port.unref();
parentPort?.postMessage({ flowrraPort: port2 }, [port2]);

becomeThread({ link: { submit }, announce: (prototype, file) => code.addClass(prototype, file) });

const parts: RunningCallParts = {
  codec,
  send,
  signalOf: pollingSignal,
  taskName: (task) => code.taskName(task),
  once: () => code.once(),
};

export default function run(call: ThreadCall): ThreadAnswer | Promise<ThreadAnswer> {
  const inThread = new RunningCall(call, parts);
  running.set(call.callId, inThread);
  const early = aborted.get(call.callId);
  if (early) inThread.abort.abort(unwireError(early));
  // Without a promise for cached code: a small call takes only microseconds.
  const known = code.cached(call.target);
  const settled = known
    ? invoke(known, call, inThread)
    : code.find(call.target).then(
        (found) => invoke(found, call, inThread),
        (error: unknown) => failed(error),
      );
  const answer = inThread.answered(settled);
  if (answer instanceof Promise)
    return answer.finally(() => {
      running.delete(call.callId);
      allowEnd();
    });
  running.delete(call.callId);
  return answer;
}

function invoke(
  found: FoundCode,
  call: ThreadCall,
  inThread: RunningCall,
): ThreadAnswer | Promise<ThreadAnswer> {
  try {
    const args = argumentsOf(found, call, inThread);
    const hook = currentTaskHook();
    const invoked = (): unknown => found.invoke(args, inThread);
    const run = calls === null ? invoked : (): unknown => calls.run(call.callId, invoked);
    let value = hook === undefined ? run() : hook(inThread, run);
    if (isObservable(value)) value = lastValueFrom(value, { defaultValue: undefined });
    if (
      typeof value !== 'object' ||
      value === null ||
      typeof (value as { then?: unknown }).then !== 'function'
    ) {
      return ended(value);
    }
    return Promise.resolve(value).then(ended, failed);
  } catch (error) {
    return failed(error);
  }
}

function ended(value: unknown): ThreadAnswer {
  try {
    return wire(codec.copyResult(value));
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): ThreadAnswer {
  return { error: wireError(error) };
}

function argumentsOf({ contextIndex }: FoundCode, call: ThreadCall, inThread: RunningCall): unknown[] {
  const args = unwire(call.args) as unknown[];
  if (contextIndex === null) return args;
  while (args.length < contextIndex) args.push(undefined);
  pollingSignal(inThread.abort);
  args[contextIndex] = new AttemptContext(inThread);
  return args;
}

/**
 * A synchronous task blocks the event loop, so that no message event arrives. To let it detect its abort, reading
 * `signal.aborted` also reads the messages.
 */
function pollingSignal(abort: LazyAbort): AbortSignal {
  const { signal } = abort;
  if (!Object.hasOwn(signal, 'aborted')) {
    const isAborted = (): boolean => {
      for (let entry = receiveMessageOnPort(port); entry; entry = receiveMessageOnPort(port))
        receive(entry.message as ToThread);
      return abort.aborted;
    };
    Object.defineProperties(signal, {
      aborted: { get: isAborted },
      throwIfAborted: {
        value(): void {
          if (isAborted()) throw abort.reason;
        },
      },
    });
  }
  return signal;
}

function receive(message: ToThread): void {
  switch (message.kind) {
    case 'abort':
      aborted.set(message.callId, message.reason);
      running.get(message.callId)?.abort.abort(unwireError(message.reason));
      break;
    case 'ended':
      aborted.delete(message.callId);
      break;
    case 'submitted':
      settle(message.request)?.resolve(message.taskId);
      break;
    case 'rejected':
      settle(message.request)?.reject(unwireError(message.error));
      break;
    case 'close':
      void code.close().finally(() => send({ kind: 'closed' }));
      break;
    default:
      running.get(message.callId)?.receive(message);
  }
}

function submit(taskName: string, args: unknown[], options: SubmitOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = ++lastRequest;
    requests.set(request, { resolve, reject });
    // Keeps the thread running until the answer arrives.
    port.ref();
    send({ kind: 'submit', request, callId: calls?.getStore(), taskName, args: wire(args), options });
  });
}

function settle(request: number) {
  const waiting = requests.get(request);
  requests.delete(request);
  allowEnd();
  return waiting;
}

/** Without an answer to wait for, the thread may end. */
function allowEnd(): void {
  if (requests.size === 0 && ![...running.values()].some(({ isDurable }) => isDurable)) port.unref();
}

function send(message: FromThread): void {
  if (message.kind === 'durable') port.ref();
  port.postMessage(message);
}
