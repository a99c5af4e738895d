import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duration, FlowrraModuleOptions } from 'flowrra';

/** Everything that the environment decides, in one place. */
export const settings = {
  /** Where jobs wait. */
  engine: process.env['FLOWRRA_ENGINE'] ?? 'memory:',
  /** `producer` for a web server that leaves the work to workers of their own. */
  role: (process.env['FLOWRRA_ROLE'] ?? 'all') as FlowrraModuleOptions['role'],
  /** `inline` where threads cannot load the source: TypeScript under a test runner. */
  cpuMode: process.env['FLOWRRA_CPU'] === 'inline' ? ('inline' as const) : ('thread' as const),
  /** An SMTP server, such as `smtp://localhost:1025`. Without one, mail is only written out. */
  smtpUrl: process.env['SMTP_URL'] ?? null,
  /** The time until an approved order is shipped. The demo shows it in time lapse. */
  day: (process.env['SAMPLE_DAY'] ?? '1d') as Duration,
  /** On a disk that web servers and workers share. */
  uploads: process.env['UPLOADS'] ?? join(tmpdir(), 'flowrra-sample-uploads'),
};
