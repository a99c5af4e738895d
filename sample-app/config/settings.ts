import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Everything that the environment decides, in one place. */
export const settings = {
  /** Where jobs wait. */
  engine: process.env['FLOWRRA_ENGINE'] ?? 'memory:',
  /** `inline` where threads cannot load the source: TypeScript under a test runner. */
  cpuMode: process.env['FLOWRRA_CPU'] === 'inline' ? ('inline' as const) : ('thread' as const),
  /** An SMTP server, such as `smtp://localhost:1025`. Without one, mail is only written out. */
  smtpUrl: process.env['SMTP_URL'] ?? null,
  uploads: process.env['UPLOADS'] ?? join(tmpdir(), 'flowrra-sample-uploads'),
};
