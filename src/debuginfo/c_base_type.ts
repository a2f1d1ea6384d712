// The spellings of C's arithmetic types. Compilers write `long unsigned int` into debug information,
// gdb and people write `unsigned long`: one spelling is used everywhere here, gdb's.
import type { IntType } from './type.ts';

const words = new Set(['signed', 'unsigned', 'short', 'long', 'int', 'char', 'double', '__int128']);

/** True for a word that may be part of a base type's name of several words. */
export function isBaseTypeWord(word: string): boolean {
  return words.has(word);
}

/**
 * gdb's spelling of a base type: `long unsigned int` and `unsigned long` are both `unsigned long`. A name
 * that is not made of C's type words comes back unchanged.
 */
export function baseTypeName(name: string): string {
  const parts = name.split(' ');
  let long = 0;
  let unsigned = false;
  let signed = false;
  let core = '';
  for (const part of parts) {
    if (part === 'long') long++;
    else if (part === 'unsigned') unsigned = true;
    else if (part === 'signed') signed = true;
    else if (part === 'int') core = core === '' ? 'int' : core;
    else if (words.has(part)) core = part;
    else return name;
  }
  if (core === 'double') return long > 0 ? 'long double' : 'double';
  if (core === 'char') return unsigned ? 'unsigned char' : signed ? 'signed char' : 'char';
  const size = core === 'short' || core === '__int128' ? core : long >= 2 ? 'long long' : long === 1 ? 'long' : 'int';
  return unsigned ? `unsigned ${size}` : size;
}

const compilerSpelling: Record<string, readonly string[]> = {
  'unsigned long': ['long unsigned int'],
  'unsigned long long': ['long long unsigned int'],
  'unsigned short': ['short unsigned int', 'unsigned short int'],
  long: ['long int'],
  'long long': ['long long int'],
  short: ['short int'],
  'unsigned __int128': ['__int128 unsigned'],
};

/** The spellings under which debug information may hold the base type that `name` means, likeliest first. */
export function baseTypeSpellings(name: string): readonly string[] {
  const canonical = baseTypeName(name);
  return [...(compilerSpelling[canonical] ?? []), canonical];
}

const integers: readonly [name: string, size: number, signed: boolean][] = [
  ['char', 1, true],
  ['signed char', 1, true],
  ['unsigned char', 1, false],
  ['short', 2, true],
  ['unsigned short', 2, false],
  ['int', 4, true],
  ['unsigned int', 4, false],
  ['long', 8, true],
  ['unsigned long', 8, false],
  ['long long', 8, true],
  ['unsigned long long', 8, false],
  ['__int128', 16, true],
  ['unsigned __int128', 16, false],
];

/** C's integer types on 64-bit Linux, by gdb's spelling, without any debug information. */
export const integerTypes: ReadonlyMap<string, IntType> = new Map([
  ...integers.map(([name, size, signed]): [string, IntType] => [
    name,
    { kind: 'int', name, size, signed, encoding: size === 1 ? 'char' : 'integer' },
  ]),
  ['_Bool', { kind: 'int', name: '_Bool', size: 1, signed: false, encoding: 'bool' }],
]);
