import { flowrra } from './bullmq-sides.mjs';
import { peakMemory } from './bullmq-memory.mjs';

export default (args) => peakMemory(args, (_server, url) => flowrra(url));
