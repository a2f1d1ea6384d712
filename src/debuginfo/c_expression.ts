// The value of a C expression over the dead kernel's memory, as gdb's `print` evaluates it: symbols, casts,
// members, array elements and 64-bit integer arithmetic with C's types.
//
//   evaluate('((struct task_struct *)0xffff888003a8c000)->comm', environment)
import { assertNever, FormatError, NotFoundError, UsageError } from '../base/errors.ts';
import { integerTypes } from './c_base_type.ts';
import { typeText } from './c_declaration.ts';
import { type BinaryOperator, type Expression, parseExpression, type UnaryOperator } from './c_expression_parser.ts';
import type { Macro } from './c_macro.ts';
import { parseTypeName, type TypeNames } from './c_type_parser.ts';
import { KernelObject, type ObjectContext } from './object.ts';
import { type IntType, type PointerType, sizeOf, strip, type Type } from './type.ts';

/** What names mean. */
export interface ExpressionEnvironment {
  readonly context: ObjectContext;
  /** The variable or function of that name, or null. */
  readonly symbol: (name: string) => KernelObject | null;
  /** What a name that no symbol has was defined as, or null. */
  readonly macro: (name: string) => Macro | null;
}

/**
 * Memory is read as far as the operators need it: the value of a variable's name alone is a place that has not
 * been read yet.
 * @throws UsageError for text that is no C or asks for what a dump cannot do; NotFoundError for a name that
 *   nothing has; MemoryFault for memory that is not there
 */
export function evaluate(text: string, environment: ExpressionEnvironment): KernelObject {
  return new Evaluator(environment).evaluate(
    parseExpression(text, new Names(environment), (name) =>
      environment.symbol(name) === null ? environment.macro(name) : null,
    ),
  );
}

/** The type that a text names, for `whatis` and casts: `struct page *`. @throws UsageError, NotFoundError */
export function typeNamed(text: string, environment: ExpressionEnvironment): Type {
  return parseTypeName(text, new Names(environment));
}

class Names implements TypeNames {
  private readonly environment: ExpressionEnvironment;

  constructor(environment: ExpressionEnvironment) {
    this.environment = environment;
  }

  /** A typedef; or a struct by its bare tag, as crash users write it, unless a symbol has the name. */
  typeOfName(name: string): Type | null {
    return this.environment.symbol(name) === null ? this.environment.context.types.find(name) : null;
  }

  tagged(name: string): Type | null {
    return this.environment.context.types.find(name);
  }
}

const int = integerTypes.get('int')!;
const unsignedInt = integerTypes.get('unsigned int')!;
const long = integerTypes.get('long')!;
const unsignedLong = integerTypes.get('unsigned long')!;
/** Most elements from a place on, either way. */
const maxIndex = 1n << 40n;

class Evaluator {
  private readonly environment: ExpressionEnvironment;
  private readonly context: ObjectContext;
  /** Above 0 inside `sizeof`: types matter there, values do not, and nothing is read. */
  private unread = 0;

  constructor(environment: ExpressionEnvironment) {
    this.environment = environment;
    this.context = environment.context;
  }

  evaluate(e: Expression): KernelObject {
    switch (e.kind) {
      case 'constant':
        return this.value(e.type, e.value);
      case 'name':
        return this.name(e.name);
      case 'unary':
        return this.unary(e.operator, this.evaluate(e.operand));
      case 'binary':
        return this.binary(e.operator, e.left, e.right);
      case 'conditional': {
        const test = this.truth(this.evaluate(e.test));
        return this.evaluate(test ? e.yes : e.no);
      }
      case 'member':
        return this.member(this.evaluate(e.operand), e.name);
      case 'index': {
        const operand = this.evaluate(e.operand);
        return this.element(operand, this.integer(this.evaluate(e.index)));
      }
      case 'cast':
        return this.cast(e.type, this.evaluate(e.operand));
      case 'sizeof': {
        this.unread++;
        const size = this.evaluate(e.operand).size;
        this.unread--;
        return this.value(unsignedLong, BigInt(size));
      }
      case 'sizeof-type':
        return this.value(unsignedLong, BigInt(sizeOf(e.type)));
      default:
        return assertNever(e);
    }
  }

  private name(name: string): KernelObject {
    const object = this.environment.symbol(name) ?? this.enumerator(name);
    if (object === null) throw new NotFoundError('symbol', name);
    return object;
  }

  private enumerator(name: string): KernelObject | null {
    for (const type of this.context.types.all()) {
      if (type.kind !== 'enum') continue;
      const found = type.values.find((e) => e.name === name);
      if (found !== undefined) return this.value(type, found.value);
    }
    return null;
  }

  private unary(operator: UnaryOperator, operand: KernelObject): KernelObject {
    switch (operator) {
      case '*':
        return this.deref(operand);
      case '&':
        if (!operand.isInMemory) throw new UsageError('only what is in memory has an address');
        if (operand.bitSize > 0) throw new UsageError('a bit field has no address');
        return operand.addressOf();
      case '!':
        return this.value(int, this.truth(operand) ? 0n : 1n);
      case '+':
        return this.value(this.promoted(operand), this.integer(operand));
      case '-':
        return this.value(this.promoted(operand), -this.integer(operand));
      case '~':
        return this.value(this.promoted(operand), ~this.integer(operand));
      default:
        return assertNever(operator);
    }
  }

  private binary(operator: BinaryOperator, leftSide: Expression, rightSide: Expression): KernelObject {
    const left = this.evaluate(leftSide);
    switch (operator) {
      case '&&':
        return this.value(int, this.truth(left) && this.truth(this.evaluate(rightSide)) ? 1n : 0n);
      case '||':
        return this.value(int, this.truth(left) || this.truth(this.evaluate(rightSide)) ? 1n : 0n);
      case ',':
        return this.evaluate(rightSide);
      case '@':
        return this.elements(left, this.integer(this.evaluate(rightSide)));
      default:
        return this.arithmetic(operator, left, this.evaluate(rightSide));
    }
  }

  private arithmetic(
    operator: Exclude<BinaryOperator, '&&' | '||' | ',' | '@'>,
    left: KernelObject,
    right: KernelObject,
  ): KernelObject {
    const leftPointer = decayed(left.type);
    const rightPointer = decayed(right.type);
    if (leftPointer !== null || rightPointer !== null) {
      const a = this.number(left);
      const b = this.number(right);
      if (operator === '+' && (leftPointer === null || rightPointer === null)) {
        return leftPointer !== null ? this.moved(leftPointer, a, b) : this.moved(rightPointer!, b, a);
      }
      if (operator === '-' && leftPointer !== null) {
        if (rightPointer === null) return this.moved(leftPointer, a, -b);
        return this.value(long, BigInt.asIntN(64, a - b) / step(leftPointer));
      }
      const truth = compare(operator, BigInt.asUintN(64, a), BigInt.asUintN(64, b));
      if (truth === null) throw new UsageError(`operands of ${operator} are pointers`);
      return this.value(int, truth ? 1n : 0n);
    }
    const a = this.integer(left);
    const b = this.integer(right);
    if (operator === '<<' || operator === '>>') return this.shifted(operator, this.promoted(left), a, b);
    const type = common(this.promoted(left), this.promoted(right));
    const x = wrapTo(type, a);
    const y = wrapTo(type, b);
    const truth = compare(operator, x, y);
    if (truth !== null) return this.value(int, truth ? 1n : 0n);
    switch (operator) {
      case '+':
        return this.value(type, x + y);
      case '-':
        return this.value(type, x - y);
      case '*':
        return this.value(type, x * y);
      case '/':
      case '%':
        if (this.unread > 0) return this.value(type, 0n);
        if (y === 0n) throw new UsageError('division by zero');
        return this.value(type, operator === '/' ? x / y : x % y);
      case '&':
        return this.value(type, x & y);
      case '|':
        return this.value(type, x | y);
      case '^':
        return this.value(type, x ^ y);
      default:
        throw new UsageError(`unknown operator ${operator}`);
    }
  }

  /** C leaves shifts by the width and more undefined; here, as in gdb, bits that are shifted out are gone. */
  private shifted(operator: '<<' | '>>', type: IntType, value: bigint, count: bigint): KernelObject {
    if (count < 0n) throw new UsageError('shift count is negative');
    const n = count > 128n ? 128n : count;
    return this.value(type, operator === '<<' ? wrapTo(type, value) << n : wrapTo(type, value) >> n);
  }

  private moved(pointer: PointerType, address: bigint, count: bigint): KernelObject {
    return this.value(pointer, address + count * step(pointer));
  }

  private member(operand: KernelObject, name: string): KernelObject {
    const t = strip(operand.type);
    if (t.kind === 'pointer') return this.member(this.deref(operand), name);
    if (t.kind !== 'struct' && t.kind !== 'union') {
      throw new UsageError(`${typeText(operand.type)} is no struct and has no member ${name}`);
    }
    return operand.member(name);
  }

  private element(operand: KernelObject, index: bigint): KernelObject {
    const pointer = decayed(operand.type);
    if (pointer === null) throw new UsageError(`${typeText(operand.type)} is neither an array nor a pointer`);
    return this.deref(this.moved(pointer, this.number(operand), checkedIndex(index)));
  }

  private elements(operand: KernelObject, count: bigint): KernelObject {
    if (!operand.isInMemory || operand.bitSize > 0) throw new UsageError('left operand of @ must be in memory');
    if (count <= 0n || count > 0x7fff_ffffn) throw new UsageError(`right operand of @ is out of range: ${count}`);
    return KernelObject.at(
      this.context,
      { kind: 'array', element: operand.type, length: Number(count) },
      operand.address,
    );
  }

  private deref(operand: KernelObject): KernelObject {
    const pointer = decayed(operand.type);
    if (pointer === null) throw new UsageError(`${typeText(operand.type)} is no pointer`);
    const target = strip(pointer.target);
    if (target.kind === 'void') throw new UsageError('a void pointer points to nothing in particular');
    const address = BigInt.asUintN(64, this.number(operand));
    return this.value(pointer, address).deref();
  }

  private cast(type: Type, operand: KernelObject): KernelObject {
    const to = strip(type);
    switch (to.kind) {
      case 'int':
      case 'enum':
      case 'pointer':
        return this.value(type, this.number(operand));
      case 'struct':
      case 'union':
      case 'array':
        // C has no such casts; gdb reads what lies in memory as the other type.
        if (!operand.isInMemory || operand.bitSize > 0) break;
        return KernelObject.at(this.context, type, operand.address);
      case 'void':
      case 'float':
      case 'function':
      case 'incomplete':
        break;
      default:
        return assertNever(to);
    }
    throw new UsageError(`invalid cast from ${typeText(operand.type)} to ${typeText(type)}`);
  }

  private truth(operand: KernelObject): boolean {
    return this.number(operand) !== 0n;
  }

  /** Value of an integer, an enum or a bit field. */
  private integer(operand: KernelObject): bigint {
    const { kind } = strip(operand.type);
    if (kind !== 'int' && kind !== 'enum') throw new UsageError(`${typeText(operand.type)} is not an integer`);
    return this.number(operand);
  }

  /** Value of any scalar; of an array or a function its address. */
  private number(operand: KernelObject): bigint {
    const t = strip(operand.type);
    switch (t.kind) {
      case 'array':
      case 'function':
        return operand.address;
      case 'int':
      case 'enum':
      case 'pointer':
        return this.unread > 0 && operand.isInMemory ? 0n : operand.bigint();
      default:
        throw new UsageError(`${typeText(operand.type)} is neither a number nor a pointer`);
    }
  }

  /** C's integer promotion. */
  private promoted(operand: KernelObject): IntType {
    const t = strip(operand.type);
    if (t.kind !== 'int' && t.kind !== 'enum') throw new UsageError(`${typeText(operand.type)} is not an integer`);
    if (t.size < 4) return int;
    if (t.size === 4) return t.signed ? int : unsignedInt;
    if (t.size === 8) return t.signed ? long : unsignedLong;
    if (t.kind === 'int' && t.size === 16) return t;
    throw new FormatError(typeText(operand.type), `an integer of ${t.size} bytes`);
  }

  private value(type: Type, value: bigint): KernelObject {
    return KernelObject.value(this.context, type, value);
  }
}

/** The pointer type that a pointer has, or that an array or a function turns into; null for other types. */
function decayed(type: Type): PointerType | null {
  const t = strip(type);
  switch (t.kind) {
    case 'pointer':
      // Keeps a typedef's name out of sums, as C's types do.
      return t;
    case 'array':
      return { kind: 'pointer', size: 8, target: t.element };
    case 'function':
      return { kind: 'pointer', size: 8, target: type };
    default:
      return null;
  }
}

/** Bytes from one element to the next; 1 where the target has no size, as gcc has it. */
function step(pointer: PointerType): bigint {
  return BigInt(Math.min(Math.max(1, sizeOf(pointer.target)), Number.MAX_SAFE_INTEGER));
}

function checkedIndex(index: bigint): bigint {
  if (index > maxIndex || index < -maxIndex) throw new UsageError(`index is out of range: ${index}`);
  return index;
}

/** C's usual arithmetic conversions, of promoted types. */
function common(a: IntType, b: IntType): IntType {
  if (a.size !== b.size) return a.size > b.size ? a : b;
  return a.signed ? b : a;
}

function wrapTo(type: IntType, value: bigint): bigint {
  return type.signed ? BigInt.asIntN(type.size * 8, value) : BigInt.asUintN(type.size * 8, value);
}

function compare(operator: BinaryOperator, a: bigint, b: bigint): boolean | null {
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    default:
      return null;
  }
}
