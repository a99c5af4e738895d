// sample-app/backend.spec.ts
import { InMemoryBackend } from 'flowrra';
import { resultBackendConformance } from 'flowrra/testing';

for (const { name, run } of resultBackendConformance(() => new InMemoryBackend())) it(name, run);
