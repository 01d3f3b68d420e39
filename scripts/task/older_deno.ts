/**
 * Loaded before each test file by versions of Deno that look for leaks unasked, which
 * later ones do not: what waits for a lock, for example, cannot be called off there.
 */

const { test } = Deno;
type Definition = Partial<Deno.TestDefinition>;

function withoutLeakChecks(...args: unknown[]): void {
  const definition: Definition = {
    sanitizeOps: false,
    sanitizeResources: false,
  };
  for (const arg of args) {
    if (typeof arg === "string") definition.name = arg;
    else if (typeof arg === "function") {
      definition.fn = arg as Deno.TestDefinition["fn"];
      definition.name ??= arg.name;
    } else Object.assign(definition, arg);
  }
  test(definition as Deno.TestDefinition);
}

Object.assign(Deno, { test: Object.assign(withoutLeakChecks, test) });
