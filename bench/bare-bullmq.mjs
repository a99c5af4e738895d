import { bare } from './bullmq-sides.mjs';
import { peakMemory } from './bullmq-memory.mjs';

export default (args) => peakMemory(args, bare);
