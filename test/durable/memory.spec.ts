import { momentCases } from './moments.cases.js';

describe('every moment', () => momentCases('memory'));
