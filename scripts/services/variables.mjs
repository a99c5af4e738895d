/** By kind of server: the variable with the URL of a server for the tests. */
export const VARIABLES = {
  redis: 'FLOWRRA_TEST_REDIS_URL',
  postgres: 'FLOWRRA_TEST_POSTGRES_URL',
  // The tests may use MySQL as well; a private server is a MariaDB.
  mariadb: 'FLOWRRA_TEST_MYSQL_URL',
};

/** The variables for a process that is to use these services. */
export function environment(services) {
  const named = Object.entries(VARIABLES).map(([kind, variable]) => [variable, services[kind]?.url]);
  return Object.fromEntries(named.filter(([, url]) => url !== undefined));
}
