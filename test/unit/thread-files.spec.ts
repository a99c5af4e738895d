import { rejectEntry } from '../../lib/run/threads/thread-files.js';

it('rejects the entry file for each form of the command', () => {
  const entry = process.argv[1] as string;
  try {
    for (const named of ['/srv/app/dist/index.js', '/srv/app/dist/index', '/srv/app/dist']) {
      process.argv[1] = named;
      expect(() => rejectEntry('file:///srv/app/dist/index.js', "CPU-bound task 'A.work'")).toThrow(
        /A\.work.*entry file.*cpu: \{ module: join\(__dirname/s,
      );
      expect(() => rejectEntry('file:///srv/app/dist/tasks.js', "CPU-bound task 'A.work'")).not.toThrow();
    }
  } finally {
    process.argv[1] = entry;
  }
});
