/** Injection token of the checked options; internal. */
export const RESOLVED_OPTIONS = Symbol('FLOWRRA_RESOLVED_OPTIONS');
