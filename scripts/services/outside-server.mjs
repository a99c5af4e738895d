// A server which somebody else started, named by an environment variable.
import { setTimeout as delay } from 'node:timers/promises';
import { mariadbAnswers, postgresAnswers, redisAnswers } from './answers.mjs';
import { VARIABLES } from './variables.mjs';

const POLL_MS = 50;
const ANSWER_BOUND_MS = 5_000;
const KINDS = {
  redis: { answers: redisAnswers, port: 6379, example: 'redis://127.0.0.1:6379' },
  postgres: {
    answers: postgresAnswers,
    port: 5432,
    example: 'postgres://postgres@127.0.0.1:5432/postgres',
  },
  mariadb: { answers: mariadbAnswers, port: 3306, example: 'mysql://root@127.0.0.1:3306/test' },
};

/** The server at the URL in the kind's variable; rejects unless it answers. */
export async function outsideServer(kind) {
  const variable = VARIABLES[kind];
  const text = process.env[variable];
  const { answers, port: usualPort, example } = KINDS[kind];
  if (!URL.canParse(text)) throw new Error(`${variable} is '${text}', not a URL such as ${example}`);
  const url = new URL(text);
  const port = Number(url.port || usualPort);
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const until = Date.now() + ANSWER_BOUND_MS;
  while (!(await answers({ host, port, tls: url.protocol === 'rediss:' }))) {
    if (Date.now() > until) {
      throw new Error(
        `${variable} is set, but nothing answers as it should at ${host}:${port}. ` +
          'Start that server, or unset the variable to have one started here.',
      );
    }
    await delay(POLL_MS);
  }
  const refuse = () => {
    throw new Error(
      `The server in ${variable} was not started here: it cannot be stopped or paused from here`,
    );
  };
  return { own: false, url: text, port, kill: refuse, pause: refuse, resume: refuse, restart: refuse };
}
