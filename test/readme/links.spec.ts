import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { documents, prose, root, textOf } from './documents.js';

const manifest = JSON.parse(textOf('package.json')) as Record<'homepage', string> & {
  files: string[];
  repository: { url: string };
  bugs: { url: string };
};
const repository = manifest.repository.url.replace(/^git\+(.*)\.git$/, '$1');

/** As GitHub makes anchors of headings. */
function anchors(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

const links = [...documents].flatMap(([from, text]) =>
  [...prose(text).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, to]) => ({ from, to: to as string })),
);

it.each(links)('$from links to $to, which exists', ({ from, to }) => {
  const [path = '', anchor] = to.split('#');
  const file = path === '' ? from : relative(root, join(root, dirname(from), path));
  expect(existsSync(join(root, file))).toBe(true);
  if (anchor !== undefined) expect(anchors(documents.get(file) ?? '')).toContain(anchor);
});

// On npm, relative links lead into the repository; in node_modules, to what the package holds.
it.each(links.filter(({ to }) => !to.startsWith('#')))(
  '$from links to $to, which is published',
  ({ from, to }) => {
    const path = join(dirname(from), to.split('#')[0] as string);
    const published = ['README.md', 'LICENSE', 'package.json', ...manifest.files];
    expect(published.some((name) => path === name || path.startsWith(`${name}/`))).toBe(true);
  },
);

it('links into the repository, which package.json names, lead to what is there', () => {
  expect(repository).toMatch(/^https:\/\/github\.com\/[\w-]+\/[\w-]+$/);
  expect(manifest.homepage).toBe(`${repository}#readme`);
  expect(manifest.bugs.url).toBe(`${repository}/issues`);
  const paths = [...documents.values()].flatMap((text) =>
    [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, to = '']) =>
      to.startsWith(`${repository}/`) ? [to.replace(/.*?\/(?:blob|tree)\/HEAD\//, '')] : [],
    ),
  );
  expect(paths).toContain('sample-app');
  for (const path of paths) expect([path, existsSync(join(root, path))]).toEqual([path, true]);
});

it('the README leads to every document, and lists each of its own sections', () => {
  const own = links.filter(({ from }) => from === 'README.md').map(({ to }) => to);
  for (const path of documents.keys()) if (path !== 'README.md') expect(own).toContain(path);
  const listed = prose(documents.get('README.md') ?? '').split('\n## ')[1] ?? '';
  for (const anchor of anchors(documents.get('README.md') ?? '').slice(1))
    if (!['contents', 'license'].includes(anchor)) expect(listed).toContain(`(#${anchor})`);
});
