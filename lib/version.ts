/**
 * The version of this package. A constant, since neither `import.meta` nor a look at package.json works
 * in an application that is bundled, or transformed to CommonJS; a test compares it with package.json.
 */
export const VERSION = '0.1.0';
