// The lowest and the highest published version of each peer dependency that its range allows.
import semver from 'semver';

/** Packages that an application needs beside Nest's core, in the same major version and not newer. */
const COMPANIONS = { '@nestjs/platform-express': '@nestjs/core' };

/** Every published version in the range, with the versions of Node that it asks for. */
async function published(name, range, run) {
  const printed = await run('npm', ['view', `${name}@${range}`, 'version', 'engines.node', '--json']);
  const found = JSON.parse(printed);
  return (Array.isArray(found) ? found : [found])
    .map((each) => (typeof each === 'string' ? { version: each } : each))
    .map((each) => ({ version: each.version, node: each['engines.node'] ?? '*' }));
}

function ofThisNode({ version, node }) {
  return semver.prerelease(version) === null && semver.satisfies(process.version, node);
}

/**
 * Versions that ask for another version of Node than this one are left out, so the highest set differs
 * between versions of Node.
 *
 * @returns {Promise<{ lowest: Record<string, string>, highest: Record<string, string> }>} versions by package name.
 */
export async function versionSets(ranges, run) {
  const lowest = {};
  const highest = {};
  for (const [name, range] of Object.entries(ranges)) {
    const versions = (await published(name, range, run)).filter(ofThisNode).map(({ version }) => version);
    if (versions.length === 0)
      throw new Error(`No version of ${name} in ${range} runs on Node ${process.version}`);
    lowest[name] = semver.minSatisfying(versions, range);
    highest[name] = semver.maxSatisfying(versions, range);
  }
  for (const [name, core] of Object.entries(COMPANIONS)) {
    for (const set of [lowest, highest]) {
      const range = `${semver.major(set[core])}.0.0 - ${set[core]}`;
      set[name] = semver.maxSatisfying(
        (await published(name, range, run)).map(({ version }) => version),
        range,
      );
    }
  }
  return { lowest, highest };
}
