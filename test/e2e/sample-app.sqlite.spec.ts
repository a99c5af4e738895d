import { tempFile } from '../support/sqlite.js';
import { describeSample } from './sample-app.cases.js';

describeSample(`sqlite:${tempFile()}`);
