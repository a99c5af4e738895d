import type { Redis } from 'ioredis';

export type Script = (...args: readonly (string | number)[]) => Promise<unknown>;

/** Defines scripts as commands of this client. ioredis sends the text of a script once, and then its digest. */
export function defineScripts<Names extends string>(
  client: Redis,
  scripts: Readonly<Record<Names, string>>,
): Readonly<Record<Names, Script>> {
  const entries = Object.entries<string>(scripts).map(([name, lua]) => {
    const command = `flowrra:${name}`;
    client.defineCommand(command, { numberOfKeys: 0, lua });
    const call = (client as unknown as Readonly<Record<string, Script>>)[command] as Script;
    return [name, call.bind(client)] as const;
  });
  return Object.fromEntries(entries) as Record<Names, Script>;
}
