import { AsyncLocalStorage } from 'node:async_hooks';
import { MessageChannel, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { isObservable, lastValueFrom } from 'rxjs';
import { currentTaskHook } from '../../run/current-task-hook.js';
import { PayloadCodec } from '../../job/payload/payload-codec.js';
import { AttemptContext } from '../../run/task-context.js';
import { LazyAbort } from '../../run/lazy-abort.js';
import type { SubmitOptions } from '../../job/submit-options.js';
import { RunningCall } from './thread-call.js';
import { type FoundCode, ThreadCode } from './thread-code.js';
import { becomeThread } from '../../run/threads/parent-link.js';
import {
  type FromThread,
  type ThreadAnswer,
  type ThreadCall,
  type ToThread,
  unwire,
  unwireError,
  wire,
  wireError,
  type WiredError,
} from '../../run/threads/protocol.js';

/** The entry file of each thread. The pool calls its default export. */
const { module } = workerData as { module: string | null };
const code = new ThreadCode(module);
/** The id of the call whose code runs. Only with a module can code submit jobs. */
const calls = module === null ? null : new AsyncLocalStorage<number>();
/** Without a limit of size, which the parent checks. */
const codec = new PayloadCodec({ maxBytes: Infinity });
const running = new Map<number, LazyAbort>();
/** All aborts, since the parent sends each to all threads: the call may be in another thread, or arrive later. */
const aborted = new Map<number, WiredError>();
const requests = new Map<number, { resolve(taskId: string): void; reject(error: unknown): void }>();
let lastRequest = 0;

const { port1: port, port2 } = new MessageChannel();
port.on('message', receive);
port.unref();
parentPort?.postMessage({ flowrraPort: port2 }, [port2]);

becomeThread({ link: { submit }, announce: (prototype, file) => code.addClass(prototype, file) });

export default function run(call: ThreadCall): ThreadAnswer | Promise<ThreadAnswer> {
  const abort = new LazyAbort();
  running.set(call.callId, abort);
  const early = aborted.get(call.callId);
  if (early) abort.abort(unwireError(early));
  // Without a promise for cached code: a small call takes only microseconds.
  const known = code.cached(call.target);
  return known
    ? attempt(known, call, abort)
    : code.find(call.target).then(
        (found) => attempt(found, call, abort),
        (error: unknown) => failed(error, call),
      );
}

function attempt(found: FoundCode, call: ThreadCall, abort: LazyAbort): ThreadAnswer | Promise<ThreadAnswer> {
  const inThread = new RunningCall(call, abort, codec, send);
  const answer = invoke(found, call, inThread);
  if (!(answer instanceof Promise)) return inThread.withReportCount(answer);
  return answer.then((settled) => inThread.withReportCount(settled));
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
      return ended(value, call);
    }
    return Promise.resolve(value).then(
      (result) => ended(result, call),
      (error: unknown) => failed(error, call),
    );
  } catch (error) {
    return failed(error, call);
  }
}

function ended(value: unknown, call: ThreadCall): ThreadAnswer {
  try {
    const answer = wire(codec.copyResult(value));
    running.delete(call.callId);
    return answer;
  } catch (error) {
    return failed(error, call);
  }
}

function failed(error: unknown, { callId }: ThreadCall): ThreadAnswer {
  running.delete(callId);
  return { error: wireError(error) };
}

function argumentsOf({ contextIndex }: FoundCode, call: ThreadCall, inThread: RunningCall): unknown[] {
  const args = unwire(call.args) as unknown[];
  if (contextIndex === null) return args;
  while (args.length < contextIndex) args.push(undefined);
  pollingAbort(inThread.abort);
  args[contextIndex] = new AttemptContext(inThread);
  return args;
}

/**
 * A synchronous task blocks the event loop, so that no message event arrives. To let it detect its abort, reading
 * `signal.aborted` also reads the messages.
 */
function pollingAbort(abort: LazyAbort): void {
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
}

function receive(message: ToThread): void {
  switch (message.kind) {
    case 'abort':
      aborted.set(message.callId, message.reason);
      running.get(message.callId)?.abort(unwireError(message.reason));
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
  if (requests.size === 0) port.unref();
  return waiting;
}

function send(message: FromThread): void {
  port.postMessage(message);
}
