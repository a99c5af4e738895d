/** Imports of `lib` point one way, types included. */
const only = (from, allowed, comment) => ({
  name: from.replaceAll(/[^a-z]+/g, ' ').trim(),
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^lib/', pathNot: allowed },
});

export default {
  forbidden: [
    { name: 'no cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no index',
      comment: 'No file inside lib imports an index: an index is for users.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^lib/.*index\\.ts$' },
    },
    only('^lib/job/', '^lib/job/', 'The types and rules of a job import only each other.'),
    {
      name: 'job without packages',
      comment: 'The types and rules of a job need no package but croner, which reads cron expressions.',
      severity: 'error',
      from: { path: '^lib/job/' },
      to: {
        dependencyTypes: ['npm', 'npm-peer', 'npm-dev', 'npm-optional'],
        pathNot: 'node_modules/croner/',
      },
    },
    only('^lib/results/', '^lib/(job|results)/', 'Backends know jobs only.'),
    only(
      '^lib/run/',
      '^lib/(job|run|results|engine/(engine|control|capabilities|schedule-store|journal-store)\\.ts)',
      'Attempts know the seams, and no engine.',
    ),
    only(
      '^lib/outbox/',
      '^lib/(job|results|outbox|engine/[^/]+\\.ts)',
      'The outbox knows the seams, and neither an engine nor Nest modules.',
    ),
    only('^lib/engine/[^/]+$', '^lib/(job|run|results|engine)/', 'Engines know nothing of Nest modules.'),
    only(
      '^lib/engine/([^/]+)/',
      '^lib/(job|run|results|engine/[^/]+$|engine/embedded|engine/$1)',
      'No engine imports another engine.',
    ),
    only(
      '^lib/nest/',
      '^lib/(job|results|run|nest|outbox/connected-outbox\\.ts|engine/[^/]+\\.ts)',
      'The module knows the seams, and the inside of no engine.',
    ),
    only(
      '^lib/(health|telemetry)/',
      '^lib/(job|results|run|nest|$1|outbox/connected-outbox\\.ts)',
      'They read what the module offers.',
    ),
    only(
      '^lib/testing/',
      '^lib/(job|results|run|nest|outbox|testing|engine/[^/]+\\.ts|engine/(embedded|memory))',
      'The test kit runs jobs on the memory engine.',
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'default'],
    },
  },
};
