import { crashCases } from './crash.cases.js';
import { momentCases } from './moments.cases.js';

describe('crashes', () => crashCases('redis'));
describe('every moment', () => momentCases('redis'));
