// C expressions as trees: a parser by operator precedence. Which names are types it asks as it goes, since
// C cannot be parsed without knowing them.
import { NotFoundError, UsageError } from '../base/errors.ts';
import { baseTypeName, integerTypes, isBaseTypeWord } from './c_base_type.ts';
import { type Token, tokens } from './c_expression_lexer.ts';
import type { Type } from './type.ts';

export type UnaryOperator = '+' | '-' | '!' | '~' | '*' | '&';
export type BinaryOperator =
  | '*'
  | '/'
  | '%'
  | '+'
  | '-'
  | '@'
  | '<<'
  | '>>'
  | '<'
  | '>'
  | '<='
  | '>='
  | '=='
  | '!='
  | '&'
  | '^'
  | '|'
  | '&&'
  | '||'
  | ',';

export type Expression =
  | { readonly kind: 'constant'; readonly type: Type; readonly value: bigint }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'conditional'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: 'member'; readonly operand: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly operand: Expression; readonly index: Expression }
  | { readonly kind: 'cast'; readonly type: Type; readonly operand: Expression }
  | { readonly kind: 'sizeof'; readonly operand: Expression }
  | { readonly kind: 'sizeof-type'; readonly type: Type };

/** What the parser asks about names. */
export interface TypeNames {
  /** The type of a name that stands alone (a typedef, or a tag that nothing else has), or null. */
  typeOfName(name: string): Type | null;
  /** `struct x`, `union x`, `enum x`, or null. */
  tagged(name: string): Type | null;
}

/** C's precedences; `@` (gdb: so many elements from here on) stands where gdb has it. */
const precedences: Readonly<Record<string, number>> = {
  ',': 1,
  '?': 2,
  '||': 3,
  '&&': 4,
  '|': 5,
  '^': 6,
  '&': 7,
  '==': 8,
  '!=': 8,
  '<': 9,
  '>': 9,
  '<=': 9,
  '>=': 9,
  '<<': 10,
  '>>': 10,
  '@': 11,
  '+': 12,
  '-': 12,
  '*': 13,
  '/': 13,
  '%': 13,
};
const unaryPrecedence = 14;
const maxDepth = 200;

/** @throws UsageError for what is no C expression; NotFoundError for a type that is not there */
export function parseExpression(text: string, names: TypeNames): Expression {
  const parser = new Parser(tokens(text), names);
  const result = parser.expression(1);
  parser.end();
  return result;
}

/** The type that `struct page *`, `unsigned long`, `u32 [4]` names. @throws UsageError, NotFoundError as `parseExpression` */
export function parseTypeName(text: string, names: TypeNames): Type {
  const parser = new Parser(tokens(text), names);
  const result = parser.typeName();
  parser.end();
  return result;
}

class Parser {
  private readonly tokens: readonly Token[];
  private readonly names: TypeNames;
  private next = 0;
  private depth = 0;

  constructor(tokens: readonly Token[], names: TypeNames) {
    this.tokens = tokens;
    this.names = names;
  }

  end(): void {
    if (this.token.kind !== 'end') throw this.unexpected();
  }

  expression(minimum: number): Expression {
    this.deeper();
    let left = this.unary();
    for (;;) {
      const operator = this.token.text;
      const precedence = this.token.kind === 'operator' ? precedences[operator] : undefined;
      if (precedence === undefined || precedence < minimum) break;
      this.next++;
      if (operator === '?') {
        const yes = this.expression(1);
        this.expect(':');
        left = { kind: 'conditional', test: left, yes, no: this.expression(precedence) };
      } else {
        const right = this.expression(precedence + 1);
        left = { kind: 'binary', operator: operator as BinaryOperator, left, right };
      }
    }
    this.depth--;
    return left;
  }

  private unary(): Expression {
    this.deeper();
    const result = this.prefix();
    this.depth--;
    return result;
  }

  private prefix(): Expression {
    const { token } = this;
    if (token.kind === 'operator') {
      switch (token.text) {
        case '+':
        case '-':
        case '!':
        case '~':
        case '*':
        case '&':
          this.next++;
          return { kind: 'unary', operator: token.text, operand: this.expression(unaryPrecedence) };
        case '&&':
          throw new UsageError('addresses of labels cannot be taken');
        case '++':
        case '--':
          throw new UsageError('a dump cannot be changed: no ++ and no --');
        case '(':
          if (this.isTypeAt(this.next + 1)) return this.cast();
      }
    }
    if (token.kind === 'name' && !token.quoted && token.text === 'sizeof') {
      this.next++;
      if (this.isOperator('(') && this.isTypeAt(this.next + 1)) {
        this.next++;
        const type = this.typeName();
        this.expect(')');
        return { kind: 'sizeof-type', type };
      }
      if (this.isTypeAt(this.next)) return { kind: 'sizeof-type', type: this.typeName() };
      return { kind: 'sizeof', operand: this.expression(unaryPrecedence) };
    }
    return this.postfix(this.primary());
  }

  private cast(): Expression {
    this.expect('(');
    const type = this.typeName();
    this.expect(')');
    return { kind: 'cast', type, operand: this.expression(unaryPrecedence) };
  }

  private postfix(operand: Expression): Expression {
    let result = operand;
    for (;;) {
      if (this.take('.') || this.take('->')) {
        const { token } = this;
        if (token.kind !== 'name') throw this.unexpected('a member');
        this.next++;
        result = { kind: 'member', operand: result, name: token.text };
      } else if (this.take('[')) {
        const index = this.expression(1);
        this.expect(']');
        result = { kind: 'index', operand: result, index };
      } else if (this.isOperator('(')) {
        throw new UsageError('functions of a dead kernel cannot be called');
      } else {
        return result;
      }
    }
  }

  private primary(): Expression {
    const { token } = this;
    this.next++;
    switch (token.kind) {
      case 'number':
        return { kind: 'constant', type: numberType(token.value, token.suffix, token.decimal), value: token.value };
      case 'char':
        return { kind: 'constant', type: integer('char'), value: token.value };
      case 'name':
        if (!token.quoted && this.isTypeAt(this.next - 1)) {
          throw new UsageError(`${token.text}: a type, where a value is expected`);
        }
        return { kind: 'name', name: token.text };
      case 'operator':
        if (token.text === '(') {
          const inner = this.expression(1);
          this.expect(')');
          return inner;
        }
    }
    this.next--;
    throw this.unexpected('a value');
  }

  /** A type as casts and `sizeof` have it: base, then pointers, arrays and functions without a name. */
  typeName(): Type {
    this.deeper();
    const type = this.abstractDeclarator(this.baseType());
    this.depth--;
    return type;
  }

  private baseType(): Type {
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

  private tagged(tag: string): Type {
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

  private abstractDeclarator(base: Type): Type {
    let type = base;
    while (this.take('*')) {
      type = { kind: 'pointer', size: 8, target: type };
      for (; this.isName('const') || this.isName('volatile') || this.isName('restrict'); this.next++) {
        type = { kind: this.token.text as 'const' | 'volatile' | 'restrict', target: type };
      }
    }
    // `(*)(int)`, `(*)[4]`: the stars apply to what follows the parentheses.
    let stars = 0;
    if (this.isOperator('(') && this.isOperator('*', 1)) {
      this.next++;
      while (this.take('*')) stars++;
      this.expect(')');
    }
    type = this.suffixes(type);
    for (; stars > 0; stars--) type = { kind: 'pointer', size: 8, target: type };
    return type;
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

  private isTypeAt(index: number): boolean {
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

  private get token(): Token {
    return this.tokens[Math.min(this.next, this.tokens.length - 1)]!;
  }

  private isOperator(text: string, ahead = 0): boolean {
    const token = this.tokens[this.next + ahead];
    return token?.kind === 'operator' && token.text === text;
  }

  private isName(text: string): boolean {
    return this.token.kind === 'name' && this.token.text === text;
  }

  private take(text: string): boolean {
    if (!this.isOperator(text)) return false;
    this.next++;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(text);
  }

  private deeper(): void {
    if (++this.depth > maxDepth) throw new UsageError('expression is nested too deep');
  }

  private unexpected(wanted?: string): UsageError {
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

function integer(name: string): Type {
  return integerTypes.get(name)!;
}

/** C's type of a literal: the first that holds it; without `u`, unsigned ones only for hexadecimal and octal. */
function numberType(value: bigint, suffix: string, decimal: boolean): Type {
  const unsigned = suffix.includes('u');
  const long = suffix.includes('l');
  if (!long && !unsigned && value <= 0x7fff_ffffn) return integer('int');
  if (!long && (unsigned || !decimal) && value <= 0xffff_ffffn) return integer('unsigned int');
  if (!unsigned && value <= 0x7fff_ffff_ffff_ffffn) return integer('long');
  return integer('unsigned long');
}
