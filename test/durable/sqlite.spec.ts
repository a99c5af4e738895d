import { crashCases } from './crash.cases.js';
import { momentCases } from './moments.cases.js';

describe('crashes', () => crashCases('sqlite'));
describe('every moment', () => momentCases('sqlite'));
