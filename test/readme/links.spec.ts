import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { documents, prose, root } from './documents.js';

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

it('the README leads to every document, and lists each of its own sections', () => {
  const own = links.filter(({ from }) => from === 'README.md').map(({ to }) => to);
  for (const path of documents.keys()) if (path !== 'README.md') expect(own).toContain(path);
  const listed = prose(documents.get('README.md') ?? '').split('\n## ')[1] ?? '';
  for (const anchor of anchors(documents.get('README.md') ?? '').slice(1))
    if (!['contents', 'license'].includes(anchor)) expect(listed).toContain(`(#${anchor})`);
});
