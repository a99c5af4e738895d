import { pathToFileURL } from 'node:url';
import { FlowrraConfigError } from '../../lib/index.js';
import { refuseEntryOrBundle } from '../../lib/runner/thread/cpu-target.js';

it('refuses the entry file, with or without its extension, and a bundle that holds the library as well', () => {
  const entry = process.argv[1] as string;
  try {
    process.argv[1] = '/srv/app/dist/main';
    expect(() => refuseEntryOrBundle('file:///srv/app/dist/main.js', 'A.work')).toThrow(
      /A\.work.*entry file.*cpu: \{ module/s,
    );
    const bundle = pathToFileURL(
      new URL('../../lib/runner/thread/cpu-target.ts', import.meta.url).pathname,
    ).href;
    expect(() => refuseEntryOrBundle(bundle, 'A.work')).toThrow(FlowrraConfigError);
    expect(() => refuseEntryOrBundle(bundle, 'A.work')).toThrow(/a bundle/);
    expect(() => refuseEntryOrBundle('file:///srv/app/dist/tasks.js', 'A.work')).not.toThrow();
  } finally {
    process.argv[1] = entry;
  }
});
