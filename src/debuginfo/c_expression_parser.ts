// C expressions as trees: a parser by operator precedence. Which names are types it asks as it goes, since
// C cannot be parsed without knowing them.
import { UsageError } from '../base/errors.ts';
import { integerTypes } from './c_base_type.ts';
import { tokens } from './c_lexer.ts';
import { expandMacros, type Macro } from './c_macro.ts';
import { CTypeParser, type TypeNames } from './c_type_parser.ts';
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

/** @throws UsageError for what is no C expression; NotFoundError for a type that is not there */
export function parseExpression(text: string, names: TypeNames, macro: (name: string) => Macro | null): Expression {
  const parser = new Parser(expandMacros(tokens(text), macro), names);
  const result = parser.expression(1);
  parser.end();
  return result;
}

/** Most operators of one expression: each is a level of the tree, and of the walks over it. */
const maxOperators = 4000;

class Parser extends CTypeParser {
  private operators = 0;

  expression(minimum: number): Expression {
    this.deeper();
    let left = this.unary();
    for (;;) {
      const operator = this.token.text;
      const precedence = this.token.kind === 'operator' ? precedences[operator] : undefined;
      if (precedence === undefined || precedence < minimum) break;
      this.next++;
      this.another();
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
    for (; ; this.another()) {
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

  private another(): void {
    if (++this.operators > maxOperators) throw new UsageError(`expression has more than ${maxOperators} operators`);
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
