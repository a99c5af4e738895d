import { tempFile } from '../support/sqlite.js';
import { expenseCases } from './expenses.cases.js';

expenseCases('sqlite', tempFile());
