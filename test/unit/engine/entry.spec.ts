import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../../readme/documents.js';

/** Types that `flowrra/engine` mentions and no engine needs to name. */
const UNNAMED = new Set([
  // Flowrra makes each run.
  'RunParts',
  // `EmbeddedEngine.connect` resolves with it: it is used as a `ConnectedEngine`.
  'EmbeddedConnection',
]);

const lib = join(root, 'lib');
const entries = ['engine/index.ts', 'index.ts'].map((file) => join(lib, file));

/** The names of types of `lib` in the public members of a declaration. */
function typesIn(declaration: ts.Declaration, checker: ts.TypeChecker): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (
      ts.canHaveModifiers(node) &&
      node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
    )
      if (!ts.isParameter(node)) return;
    // The bodies of functions are no part of a signature.
    if (ts.isBlock(node)) return;
    if (ts.isPropertyDeclaration(node) && node.type) return visit(node.type);
    if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName)) {
      const symbol = resolved(checker.getSymbolAtLocation(node.typeName), checker);
      const [first] = symbol?.declarations ?? [];
      const isOwn = first !== undefined && first.getSourceFile().fileName.startsWith(lib);
      if (isOwn && !ts.isTypeParameterDeclaration(first)) names.add(symbol?.name ?? '');
    }
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return names;
}

function resolved(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Symbol | undefined {
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

it('every type in a signature of flowrra/engine can be imported, each from one entry point', () => {
  const program = ts.createProgram(entries, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    experimentalDecorators: true,
    skipLibCheck: true,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const [engine = [], main = []] = entries.map((entry) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
    return checker.getExportsOfModule(module as ts.Symbol);
  });
  const importable = new Set([...engine, ...main].map(({ name }) => name));
  const missing = engine.flatMap((symbol) =>
    (resolved(symbol, checker)?.declarations ?? []).flatMap((declaration) =>
      [...typesIn(declaration, checker)]
        .filter((name) => !importable.has(name) && !UNNAMED.has(name))
        .map((name) => `${symbol.name} mentions ${name}`),
    ),
  );
  expect(engine.length).toBeGreaterThan(40);
  expect(missing).toEqual([]);
  // The option `engine` has this type.
  const inMain = new Set(main.map(({ name }) => name));
  expect(engine.map(({ name }) => name).filter((name) => inMain.has(name))).toEqual(['Engine']);
});
