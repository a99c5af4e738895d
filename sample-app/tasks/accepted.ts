/** What an endpoint answers that has put work into the background. */
export interface Accepted {
  taskId: string;
}

/** As much of an HTTP response as is needed here; Express and Fastify both have it. */
export interface Located {
  header(name: string, value: string): unknown;
}

/** Tells the client where to ask for the outcome. */
export function locate(response: Located, taskId: string): Accepted {
  response.header('Location', `/tasks/${taskId}`);
  return { taskId };
}
