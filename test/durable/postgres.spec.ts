import { crashCases } from './crash.cases.js';
import { momentCases } from './moments.cases.js';

describe('crashes', () => crashCases('postgres'));
describe('every moment', () => momentCases('postgres'));
