// The one parser of C types as text: what casts, variables and declarations are made of.
//
//   const struct page *[4]     base type, then what the declarator makes of it
import { NotFoundError, UsageError } from '../base/errors.ts';
import { baseTypeName, integerTypes, isBaseTypeWord } from './c_base_type.ts';
import { type Token, tokens } from './c_lexer.ts';
import type { Type } from './type.ts';

/** What the parser asks about names. */
export interface TypeNames {
  /** The type of a name that stands alone (a typedef, or a tag that nothing else has), or null. */
  typeOfName(name: string): Type | null;
  /** `struct x`, `union x`, `enum x`, or null. */
  tagged(name: string): Type | null;
}

const maxDepth = 200;

/** The type that `struct page *`, `unsigned long`, `u32 [4]` names. @throws UsageError for text that is no type; NotFoundError for one that is not there */
export function parseTypeName(text: string, names: TypeNames): Type {
  const parser = new CTypeParser(tokens(text), names);
  const result = parser.typeName();
  parser.end();
  return result;
}

/** Reads types at the front of a list of words; an expression's parser goes on from it. */
export class CTypeParser {
  protected readonly tokens: readonly Token[];
  protected readonly names: TypeNames;
  protected next = 0;
  protected depth = 0;

  constructor(tokens: readonly Token[], names: TypeNames) {
    this.tokens = tokens;
    this.names = names;
  }

  end(): void {
    if (this.token.kind !== 'end') throw this.unexpected();
  }

  /** A type as casts and `sizeof` have it: base, then pointers, arrays and functions without a name. */
  typeName(): Type {
    this.deeper();
    const { type } = this.declarator(this.baseType(), false);
    this.depth--;
    return type;
  }

  protected baseType(): Type {
    const qualifiers: ('const' | 'volatile')[] = [];
    const words: string[] = [];
    let type: Type | null = null;
    for (;;) {
      const { token } = this;
      if (token.kind !== 'name' || token.quoted) break;
      const { text } = token;
      if (text === 'const' || text === 'volatile') qualifiers.push(text);
      else if (type === null && isBaseTypeWord(text)) words.push(text);
      else if (type !== null || words.length > 0) break;
      else if (text === 'struct' || text === 'union' || text === 'enum') type = this.tagged(text);
      else type = this.named(text);
      this.next++;
    }
    if (words.length > 0) {
      const name = baseTypeName(words.join(' '));
      type = integerTypes.get(name) ?? this.names.typeOfName(name);
      if (type === null) throw new NotFoundError('type', name);
    }
    if (type === null) throw this.unexpected('a type');
    for (const kind of new Set(qualifiers)) type = { kind, target: type };
    return type;
  }

  protected tagged(tag: string): Type {
    const token = this.tokens[this.next + 1];
    if (token?.kind !== 'name') {
      this.next++;
      throw this.unexpected(`the name of a ${tag}`);
    }
    this.next++;
    const type = this.names.tagged(`${tag} ${token.text}`);
    if (type === null) throw new NotFoundError('type', `${tag} ${token.text}`);
    return type;
  }

  private named(name: string): Type {
    if (name === 'void') return { kind: 'void' };
    const type = integerTypes.get(name) ?? this.names.typeOfName(name);
    if (type === null) throw new NotFoundError('type', name);
    return type;
  }

  /** What stands behind a base type: stars, a name, arrays, functions. @param named whether there may be a name */
  protected declarator(base: Type, named: boolean): { readonly name: string; readonly type: Type } {
    let type = base;
    while (this.take('*')) {
      type = { kind: 'pointer', size: 8, target: type };
      for (; this.isName('const') || this.isName('volatile') || this.isName('restrict'); this.next++) {
        type = { kind: this.token.text as 'const' | 'volatile' | 'restrict', target: type };
      }
    }
    // `(*)(int)`, `(*ops)[4]`: the stars apply to what follows the parentheses.
    let stars = 0;
    let name = '';
    if (this.isOperator('(') && this.isOperator('*', 1)) {
      this.next++;
      while (this.take('*')) stars++;
      if (named) name = this.declaredName();
      this.expect(')');
    } else if (named) name = this.declaredName();
    type = this.suffixes(type);
    for (; stars > 0; stars--) type = { kind: 'pointer', size: 8, target: type };
    return { name, type };
  }

  private declaredName(): string {
    const { token } = this;
    if (token.kind !== 'name' || token.quoted) return '';
    this.next++;
    return token.text;
  }

  private suffixes(element: Type): Type {
    if (this.take('(')) {
      const parameters: { name: string; type: Type }[] = [];
      let variadic = false;
      while (!this.take(')')) {
        if (this.take('...')) variadic = true;
        else parameters.push({ name: '', type: this.typeName() });
        if (!this.isOperator(')')) this.expect(',');
      }
      const none = parameters.length === 1 && parameters[0]!.type.kind === 'void';
      return { kind: 'function', returns: element, parameters: none ? [] : parameters, variadic };
    }
    if (!this.take('[')) return element;
    const { token } = this;
    let length = 0;
    if (token.kind === 'number') {
      if (token.value > 0x7fff_ffffn) throw new UsageError(`array length is too large: ${token.text}`);
      length = Number(token.value);
      this.next++;
    }
    this.expect(']');
    return { kind: 'array', element: this.suffixes(element), length };
  }

  protected isTypeAt(index: number): boolean {
    const token = this.tokens[index];
    if (token?.kind !== 'name' || token.quoted) return false;
    switch (token.text) {
      case 'struct':
      case 'union':
      case 'enum':
      case 'const':
      case 'volatile':
      case 'void':
        return true;
      default:
        return isBaseTypeWord(token.text) || integerTypes.has(token.text) || this.names.typeOfName(token.text) !== null;
    }
  }

  protected get token(): Token {
    return this.tokens[Math.min(this.next, this.tokens.length - 1)]!;
  }

  protected isOperator(text: string, ahead = 0): boolean {
    const token = this.tokens[this.next + ahead];
    return token?.kind === 'operator' && token.text === text;
  }

  protected isName(text: string): boolean {
    return this.token.kind === 'name' && this.token.text === text;
  }

  protected take(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.next++;
    return true;
  }

  protected expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(text);
  }

  protected deeper(): void {
    if (++this.depth > maxDepth) throw new UsageError('expression is nested too deep');
  }

  protected unexpected(wanted?: string): UsageError {
    const { token } = this;
    if (token.kind === 'operator' && /^[^=!<>]*=$|^(<<|>>)=$/.test(token.text)) {
      return new UsageError('a dump cannot be changed: no assignments');
    }
    const found = token.kind === 'end' ? token.text : `\`${token.text}'`;
    return new UsageError(
      `${wanted === undefined ? '' : `expected ${wanted}, found `}${wanted === undefined ? `unexpected ${found}` : found}`,
    );
  }
}
