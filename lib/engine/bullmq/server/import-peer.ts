import { FlowrraConfigError } from '../../../job/errors.js';

/** Loads what needs a package that may not be installed. */
export async function loading<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new FlowrraConfigError(
      `This engine needs the package ${name}, which could not be loaded. Run: npm install ${name}`,
      { cause },
    );
  }
}
