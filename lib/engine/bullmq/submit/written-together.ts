import type { Redis } from 'ioredis';

/**
 * Lets the commands of one turn of the event loop leave together, those after the first in one write.
 * ioredis writes each by itself, and for a small command that system call is the dearest part.
 */
export function writeTogether(client: Redis): Redis {
  return client.on('connect', () => {
    const { stream } = client;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    let writes = 0;
    const endTurn = (): void => {
      if (writes > 1) stream.uncork();
      writes = 0;
    };
    stream.write = (...args: unknown[]): boolean => {
      writes++;
      if (writes === 1) process.nextTick(endTurn);
      if (writes === 2) stream.cork();
      return write(...args);
    };
  });
}
