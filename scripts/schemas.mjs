// Makes JSON schemas of what programs read: the data of every command, and the jobs that print JSON, out of their types.
//
//   node scripts/schemas.mjs dist/chunks/schemas.json
//
// The compiler says what each type is; JSON has it as `toJson` writes it: a bigint is a text `0x...`, what has a symbol for a
// name or is undefined is left out.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getLibFiles, ts } from '@ts-morph/common';
import { schemaVersion } from '../src/cli/schema.ts';
import { sessionCommands } from '../src/cli/session/entries.ts';
import { commands } from '../src/commands/registry.ts';

/**
 * Jobs of the program that print JSON of a type: the name of the schema, where the type is, and its name. Of those that print
 * a line each, it is the line.
 */
const jobs = [
  ['inquest-report', 'src/triage/analysis.ts', 'Analysis'],
  ['inquest-report-live', 'src/triage/live.ts', 'LiveReport'],
  ['inquest-oops', 'src/oops/incident.ts', 'Incident'],
  ['inquest-log', 'src/cli/log.ts', 'TextLogRecord'],
  ['inquest-same', 'src/cli/same.ts', 'Comparison'],
  ['inquest-debuginfo', 'src/cli/debuginfo.ts', 'DebugInfoData'],
  ['inquest-info', 'src/cli/info.ts', 'InfoData'],
  ['inquest-explain', 'src/cli/session/explain.ts', 'ExplainData'],
  ['inquest-save', 'src/cli/save.ts', 'SaveData'],
  ['inquest-estimate', 'src/cli/estimate.ts', 'EstimateData'],
  ['inquest-verify', 'src/save/verify.ts', 'Verification'],
  ['inquest-audit', 'src/save/audit.ts', 'Audit'],
  ['inquest-salvage', 'src/save/salvage.ts', 'Salvaged'],
  ['inquest-incident', 'src/cli/incident.ts', 'IncidentData'],
  ['inquest-listen', 'src/collect/netconsole/alerts.ts', 'IncidentAlert'],
  ['inquest-netconsole', 'src/cli/netconsole.ts', 'NetconsoleData'],
  ['inquest-mce', 'src/cli/mce.ts', 'MceData'],
  ['inquest-pstore', 'src/cli/pstore.ts', 'PstoreData'],
  ['inquest-kdump-status', 'src/host/check.ts', 'CheckReport'],
  ['inquest-kdump-check', 'src/host/check.ts', 'CheckReport'],
  ['inquest-kdump-size', 'src/cli/kdump.ts', 'SizeData'],
  ['inquest-kdump-list', 'src/cli/kdump_crashes.ts', 'CrashList'],
  ['inquest-kdump-show', 'src/cli/kdump_crashes.ts', 'KdumpShown'],
];
const registry = 'src/commands/registry.ts';
const sessionFiles = ['explain', 'oops', 'report'].map((name) => `src/cli/session/${name}.ts`);
const faults = 'src/kernel/faults.ts';

class SchemaMaker {
  definitions = {};
  names = new Map();

  constructor(checker) {
    this.checker = checker;
  }

  /** Null for what JSON leaves out. */
  schema(type) {
    const { flags } = type;
    const is = (flag) => (flags & flag) !== 0;
    if (is(ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return {};
    if (is(ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.ESSymbolLike)) return null;
    if (is(ts.TypeFlags.Never)) return { not: {} };
    if (is(ts.TypeFlags.Null)) return { type: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (is(ts.TypeFlags.BooleanLiteral)) return { const: this.checker.typeToString(type) === 'true' };
    if (is(ts.TypeFlags.StringLike)) return { type: 'string' };
    if (is(ts.TypeFlags.NumberLike)) return { type: 'number' };
    if (is(ts.TypeFlags.BooleanLike) && !type.isUnion()) return { type: 'boolean' };
    if (is(ts.TypeFlags.BigIntLike)) return { type: 'string', pattern: '^-?0x[0-9a-f]+$' };
    if (type.isUnion()) return type.aliasSymbol === undefined ? this.union(type.types) : this.named(type);
    if (type.isIntersection()) {
      // a branded number or address is the number
      const plain = type.types.find((one) => (one.flags & ts.TypeFlags.Object) === 0);
      return plain === undefined ? this.object(type) : this.schema(plain);
    }
    if (is(ts.TypeFlags.TypeParameter)) {
      const constraint = this.checker.getBaseConstraintOfType(type);
      return constraint === undefined ? {} : this.schema(constraint);
    }
    if (this.checker.isTupleType(type)) {
      const prefixItems = this.checker.getTypeArguments(type).map((one) => this.schema(one) ?? {});
      return { type: 'array', prefixItems, minItems: prefixItems.length, maxItems: prefixItems.length };
    }
    if (this.checker.isArrayType(type)) {
      return { type: 'array', items: this.schema(this.checker.getTypeArguments(type)[0]) ?? {} };
    }
    if (type.getCallSignatures().length > 0) return null;
    return this.named(type);
  }

  union(types) {
    const parts = [];
    const values = [];
    for (const one of types) {
      const part = this.schema(one);
      if (part === null) continue;
      if ('const' in part) values.push(part.const);
      else if (!parts.some((other) => JSON.stringify(other) === JSON.stringify(part))) parts.push(part);
    }
    if (values.includes(true) && values.includes(false)) {
      parts.push({ type: 'boolean' });
      const others = values.filter((value) => typeof value !== 'boolean');
      if (others.length > 0) parts.push({ enum: others });
    } else if (values.length > 0) parts.push(values.length === 1 ? { const: values[0] } : { enum: values });
    return parts.length === 0 ? null : parts.length === 1 ? parts[0] : { anyOf: parts };
  }

  /** An object of a type with a name stands in the definitions, once. */
  named(type) {
    const symbol = type.aliasSymbol ?? type.symbol;
    if (symbol === undefined || symbol.name.startsWith('__')) return this.object(type);
    let name = this.names.get(type);
    if (name === undefined) {
      const taken = new Set(this.names.values());
      for (let n = 1; name === undefined || taken.has(name); n++) name = n === 1 ? symbol.name : `${symbol.name}${n}`;
      this.names.set(type, name);
      this.definitions[name] = {};
      this.definitions[name] = type.isUnion() ? (this.union(type.types) ?? {}) : this.object(type);
    }
    return { $ref: `#/$defs/${name}` };
  }

  object(type) {
    const properties = {};
    const required = [];
    for (const property of this.checker.getPropertiesOfType(type)) {
      if (property.name.startsWith('__@')) continue;
      const its = this.checker.getTypeOfSymbol(property);
      const schema = this.schema(its);
      if (schema === null) continue;
      const text = ts.displayPartsToString(property.getDocumentationComment(this.checker));
      properties[property.name] = text === '' ? schema : { ...schema, description: text.replaceAll('\n', ' ') };
      const mayLack =
        (its.flags & ts.TypeFlags.Unknown) !== 0 ||
        (its.isUnion() && its.types.some((one) => (one.flags & ts.TypeFlags.Undefined) !== 0));
      if ((property.flags & ts.SymbolFlags.Optional) === 0 && !mayLack) required.push(property.name);
    }
    const index = this.checker.getIndexTypeOfType(type, ts.IndexKind.String);
    return {
      type: 'object',
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(required.length > 0 ? { required } : {}),
      ...(index === undefined ? {} : { additionalProperties: this.schema(index) ?? {} }),
    };
  }

  /** Null adds nothing to an object, nor does what may be null tell for sure. */
  isTelling(schema) {
    const mayBeNull = (one) =>
      one.type === 'null' ||
      (one.anyOf ?? []).some(mayBeNull) ||
      (one.$ref !== undefined && mayBeNull(this.definitions[one.$ref.replace('#/$defs/', '')]));
    return Object.keys(schema).length > 0 && !mayBeNull(schema);
  }

  /** The line of JSON of a command: its data is `{...head, [items]: [...], ...tail}`. */
  command(type, items, fault) {
    const collect = this.checker.getTypeOfSymbol(type.getProperty('collect')).getCallSignatures()[0];
    const answer = collect.getReturnType();
    const part = (name) => this.checker.getTypeOfSymbol(answer.getProperty(name));
    const [item, tail] = this.checker.getTypeArguments(part('items'));
    const head = this.schema(part('head')) ?? {};
    const list =
      items === null
        ? {}
        : {
            type: 'object',
            properties: { [items]: { type: 'array', items: this.schema(item) ?? {} } },
            required: [items],
          };
    const end = this.schema(tail) ?? {};
    const data = items === null ? head : { allOf: [head, list, end].filter((part) => this.isTelling(part)) };
    return {
      type: 'object',
      properties: {
        command: { type: 'string', description: 'the command line' },
        data: { ...data },
        faults: { type: 'array', items: fault, description: 'what could not be read' },
        error: {
          type: 'object',
          properties: { code: { type: 'string' }, message: { type: 'string' } },
          required: ['code', 'message'],
          description: 'why it failed; then data is null, or what was read until then',
        },
      },
      required: ['command', 'data', 'faults'],
    };
  }
}

function program() {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, noEmit: true, noCheck: true },
    '.',
  );
  // this compiler has the types of the language in itself, not in files
  const libraries = new Map(getLibFiles().map(({ fileName, text }) => [fileName, text]));
  const host = ts.createCompilerHost(options);
  const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1);
  const isLibrary = (path) => path.startsWith('/libraries/');
  const { fileExists, readFile, getSourceFile } = host;
  host.getDefaultLibLocation = () => '/libraries';
  host.fileExists = (path) => (isLibrary(path) ? libraries.has(nameOf(path)) : fileExists(path));
  host.readFile = (path) => (isLibrary(path) ? libraries.get(nameOf(path)) : readFile(path));
  host.getSourceFile = (path, languageVersion, ...others) =>
    isLibrary(path)
      ? ts.createSourceFile(path, libraries.get(nameOf(path)) ?? '', languageVersion)
      : getSourceFile(path, languageVersion, ...others);
  return ts.createProgram([registry, ...sessionFiles, ...jobs.map(([, file]) => file)], options, host);
}

const compiled = program();
const checker = compiled.getTypeChecker();
const maker = new SchemaMaker(checker);

function exported(file, name) {
  const source = compiled.getSourceFile(file);
  const found = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).find((one) => one.name === name);
  if (found === undefined) throw new Error(`${file} does not export ${name}`);
  return found;
}

const fault = maker.schema(checker.getDeclaredTypeOfSymbol(exported(faults, 'Fault')));
const schemas = {};
for (const property of checker.getTypeOfSymbol(exported(registry, 'commands')).getProperties()) {
  const { items } = commands[property.name];
  schemas[property.name] = maker.command(checker.getTypeOfSymbol(property), items, fault);
}
const loaders = sessionCommands();
for (const file of sessionFiles) {
  const name = /(\w+)\.ts$/.exec(file)[1];
  const entry = loaders.get(name);
  const { items } = typeof entry === 'function' ? await entry() : entry;
  schemas[name] = maker.command(checker.getTypeOfSymbol(exported(file, name)), items, fault);
}
for (const [name, file, type] of jobs)
  schemas[name] = maker.schema(checker.getDeclaredTypeOfSymbol(exported(file, type)));

const result = { version: schemaVersion, schemas, definitions: maker.definitions };
writeFileSync(resolve(process.argv[2] ?? 'dist/chunks/schemas.json'), JSON.stringify(result));
