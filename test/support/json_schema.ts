// Holds data against a JSON schema (draft 2020-12), as far as our schemas go.

type Schema = { readonly [key: string]: unknown };

/** What of the data is not as the schema has it: a line each, with the way to it. Empty if it is. */
export function violations(root: Schema, data: unknown): string[] {
  const found: string[] = [];
  check(root, root, data, '', found);
  return found;
}

const known = new Set(
  'type const enum pattern anyOf allOf not properties required additionalProperties items prefixItems minItems maxItems $ref description $schema $id title $defs'.split(
    ' ',
  ),
);

function check(root: Schema, schema: Schema, data: unknown, at: string, found: string[]): void {
  for (const key of Object.keys(schema)) if (!known.has(key)) throw new Error(`unknown keyword ${key}`);
  const { type, pattern, anyOf, allOf, not, properties, required, additionalProperties, items, prefixItems, $ref } =
    schema;
  const fail = (problem: string): void => {
    found.push(`${at === '' ? 'data' : at}: ${problem}`);
  };
  if (typeof $ref === 'string') {
    const definitions = root['$defs'] as Record<string, Schema>;
    const definition = definitions[$ref.replace('#/$defs/', '')];
    if (definition === undefined) throw new Error(`nothing is defined as ${$ref}`);
    check(root, definition, data, at, found);
  }
  if (type !== undefined && type !== typeOf(data)) {
    fail(`${typeOf(data)} where ${String(type)} is meant`);
    return;
  }
  if ('const' in schema && schema['const'] !== data) fail(`is not ${JSON.stringify(schema['const'])}`);
  if (Array.isArray(schema['enum']) && !schema['enum'].includes(data))
    fail(`is none of ${JSON.stringify(schema['enum'])}`);
  if (typeof pattern === 'string' && !new RegExp(pattern).test(String(data))) fail(`is not like ${pattern}`);
  if (Array.isArray(anyOf)) {
    const problems = anyOf.map((one) => violationsAt(root, one as Schema, data, at));
    if (problems.every((one) => one.length > 0))
      fail(`is none of what it may be: ${problems.map(([first]) => first).join('; ')}`);
  }
  for (const one of Array.isArray(allOf) ? allOf : []) check(root, one as Schema, data, at, found);
  if (not !== undefined && violationsAt(root, not as Schema, data, at).length === 0) fail('may not be here');
  if (typeOf(data) === 'object') {
    for (const name of (required as string[] | undefined) ?? [])
      if (!Object.hasOwn(data as object, name)) fail(`lacks ${name}`);
    for (const [name, value] of Object.entries(data as object)) {
      const its = (properties as Record<string, Schema> | undefined)?.[name] ?? additionalProperties;
      if (its !== undefined) check(root, its as Schema, value, `${at}.${name}`, found);
    }
  }
  if (Array.isArray(data)) {
    for (const [i, value] of data.entries()) {
      const its = (prefixItems as Schema[] | undefined)?.[i] ?? items;
      if (its !== undefined) check(root, its as Schema, value, `${at}[${i}]`, found);
    }
    if (
      data.length < Number(schema['minItems'] ?? 0) ||
      data.length > Number(schema['maxItems'] ?? Number.POSITIVE_INFINITY)
    ) {
      fail(`has ${data.length} items`);
    }
  }
}

function violationsAt(root: Schema, schema: Schema, data: unknown, at: string): string[] {
  const found: string[] = [];
  check(root, schema, data, at, found);
  return found;
}

function typeOf(data: unknown): string {
  return data === null ? 'null' : Array.isArray(data) ? 'array' : typeof data;
}
