import { jest } from '@jest/globals';
import { startServices } from '../../scripts/services/services.mjs';
import { outageCases } from './outage.cases.js';

jest.setTimeout(60_000);

const services = await startServices({ redis: false, own: true, durable: true });
afterAll(() => services.stop());

outageCases(() => services.postgres);
