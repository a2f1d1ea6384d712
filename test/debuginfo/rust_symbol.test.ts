import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { demangleName, demangleRust } from '../../src/debuginfo/rust_symbol.ts';

// most are examples of RFC 2603 and of the compiler's book on its symbol names
const names: readonly (readonly [mangled: string, name: string | null])[] = [
  ['_RNvCs1234_7mycrate3foo', 'mycrate::foo'],
  ['_RNvNtCs1234_7mycrate3foo3bar', 'mycrate::foo::bar'],
  ['_RNvC6_123foo3bar', '123foo::bar'],
  ['_RNCNvCsgStHSCytQ6I_7mycrate4main0B3_', 'mycrate::main::{closure#0}'],
  ['_RNCNvC7mycrate4mains_0', 'mycrate::main::{closure#1}'],
  ['_RMCs4fqI2P2rA04_13const_genericINtB0_4CharKc76_E', "<const_generic::Char<'v'>>"],
  ['_RNvMCsno73SFvQKx_1cINtB2_3StrKj2_E3new', '<c::Str<2>>::new'],
  [
    '_RNvXNtC6kernel5printNtB2_6WriterNtNtC4core3fmt5Write9write_str',
    '<kernel::print::Writer as core::fmt::Write>::write_str',
  ],
  ['_RINvNtC3std3mem8align_ofjdE', 'std::mem::align_of::<usize, f64>'],
  ['_RINvC1c1fRShE', 'c::f::<&[u8]>'],
  ['_RINvC1c1fTaEE', 'c::f::<(i8,)>'],
  ['_RINvC1c1fAtj8_E', 'c::f::<[u16; 8]>'],
  ['_RINvC1c1fFG_RL0_hEuE', "c::f::<for<'a> fn(&'a u8)>"],
  ['_RINvC1c1fFUKCPhEmE', 'c::f::<unsafe extern "C" fn(*const u8) -> u32>'],
  ['_RINvC1c1fDNtC1d1Tp4ItemlEL_E', 'c::f::<dyn d::T<Item = i32>>'],
  ['_RNvC1c1f.llvm.1234567890', 'c::f'],
  ['_ZN4core3fmt9Formatter3pad17h1234567890abcdefE', 'core::fmt::Formatter::pad'],
  [
    '_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE',
    "<Test + 'static as foo::Bar<Test>>::bar",
  ],
  ['_ZN3foo3barE', null], // C++
  ['_R', null],
  ['_RNvC3foo', null],
  ['_Register', null],
  ['_RB_', null], // refers to itself
];

for (const [mangled, name] of names) {
  test(`${mangled} is ${name}`, () => assert.equal(demangleName(mangled), name));
}

test('names are found within text, and what is none is left', () => {
  assert.equal(
    demangleRust(' _RNvC6kernel3foo+0x10/0x20 [m]\n schedule+0x1/0x2 _Region _RNvC9x'),
    ' kernel::foo+0x10/0x20 [m]\n schedule+0x1/0x2 _Region _RNvC9x',
  );
});

test('whatever the name, demangling ends soon and throws nothing', () => {
  const letters = fc.constantFrom(...'CMXYNIBEASTRQPOFDLKGspu0123_abhjvnx');
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 200 }), (text) => {
      const name = demangleName(`_R${text.join('')}`);
      assert.ok(name === null || name.length <= 4096);
    }),
    { numRuns: 2000 },
  );
  // back references that double at every step
  let bomb = '_RINvC1a1b';
  for (let i = 0; i < 60; i++) bomb += `TB${i === 0 ? '7' : ''}_B_E`;
  assert.equal(demangleName(`${bomb}E`), null);
});
