// `inquest schema`: what the JSON of a command looks like, for programs that read it.
import { existsSync, readFileSync } from 'node:fs';
import { NotFoundError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { writeOut } from './output.ts';

/** Of all schemas together: it changes when something that was there is no longer, or is something else. */
export const schemaVersion = 1;

/** A JSON schema (draft 2020-12), or a part of one. */
export type Schema = { readonly [key: string]: unknown };

/** The schemas as they were made of the types, when the program was built (scripts/schemas.mjs). */
export interface SchemaFile {
  readonly version: number;
  /** By command; `inquest-report`, ... for jobs of the program. They refer to the definitions. */
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

/** @param name a command; null to list them @throws NotFoundError */
export function runSchema(name: string | null): number {
  const file = readSchemas();
  if (name === null) for (const one of Object.keys(file.schemas).sort()) writeOut(`${one}\n`);
  else writeOut(`${JSON.stringify(schemaOf(file, name), null, 2)}\n`);
  return 0;
}

/** A schema with all that it refers to. @throws NotFoundError */
export function schemaOf({ version, schemas, definitions }: SchemaFile, name: string): Schema {
  const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
  if (schema === undefined) throw new NotFoundError('schema', escapeLine(name), '"inquest schema" lists them');
  const needed = new Map<string, Schema>();
  const todo: unknown[] = [schema];
  for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    for (const [key, value] of Object.entries(one)) {
      const to = key === '$ref' ? String(value).replace('#/$defs/', '') : null;
      if (to !== null && !needed.has(to)) {
        needed.set(to, definitions[to]!);
        todo.push(definitions[to]);
      } else todo.push(value);
    }
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:inquest:${name}:${version}`,
    title: name,
    ...schema,
    $defs: Object.fromEntries(needed),
  };
}

/** @throws NotFoundError where the program was not built */
export function readSchemas(): SchemaFile {
  const file = new URL('./schemas.json', import.meta.url);
  if (!existsSync(file)) throw new NotFoundError('file', 'schemas.json', 'it is made when the program is built');
  return JSON.parse(readFileSync(file, 'utf8')) as SchemaFile;
}
