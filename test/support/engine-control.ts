import type { JobControl } from '../../lib/engine/control.js';
import type { Engine, EngineHost } from '../../lib/engine/engine.js';

/** The same engine, whose `control` a test sees, and may change, each time it has been connected. */
export function withControl(engine: Engine, connected: (control: JobControl) => void): Engine {
  const { name, durable, supports } = engine;
  const connect = async (host: EngineHost) => {
    const connection = await engine.connect(host);
    if (connection.control !== undefined) connected(connection.control);
    return connection;
  };
  return { name, durable, supports, connect };
}
