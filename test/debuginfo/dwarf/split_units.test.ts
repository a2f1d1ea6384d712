import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { virtAddr } from '../../../src/base/address.ts';
import { typeText } from '../../../src/debuginfo/c_declaration.ts';
import { form } from '../../../src/debuginfo/dwarf/constants.ts';
import { DwarfFile } from '../../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../../src/debuginfo/elf/elf_file.ts';
import { tempDirectory } from '../../support/dump_writers/temp_files.ts';
import { DwarfWriter, entry } from '../../support/dwarf_writer.ts';

const text = 0xffff_ffff_8100_0000n;
const addressOne = { form: form.addrx, bytes: [1] };
const int = entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int');

/** What was moved out of a unit: a function with another inlined in it, and a struct. */
function moved(id: bigint, word: string): Uint8Array {
  const writer = new DwarfWriter(5, { type: 'whole', id });
  writer.lines(
    ['/src'],
    [
      [`${word}.c`, 0],
      [`${word}.c`, 0],
    ],
    [],
  );
  writer.unit([
    int,
    entry('structureType', { name: `struct_of_${word}`, byteSize: 8 }, [
      entry('member', { name: 'number', type: { ref: 'int' }, dataMemberLocation: 4 }),
    ]),
    entry('subprogram', { name: `${word}_inlined`, inline: 1 }, [], 'inlined'),
    entry('subprogram', { name: `${word}_function`, type: { ref: 'int' }, lowPc: addressOne, highPc: 32 }, [
      entry('formalParameter', { name: 'count', type: { ref: 'int' }, location: { expression: [0x55] } }),
      entry('inlinedSubroutine', {
        abstractOrigin: { ref: 'inlined' },
        lowPc: addressOne,
        highPc: 8,
        callFile: 1,
        callLine: 77,
      }),
    ]),
  ]);
  return writer.elf();
}

function skeletons(t: TestContext, words: readonly string[], write = true): { info: DwarfInfo; folder: string } {
  const folder = tempDirectory(t);
  const writer = new DwarfWriter(5, { type: 'skeleton', id: 99n });
  const addresses = writer.section('.debug_addr').u32(12).u16(5).u8(8).u8(0);
  for (const [i, word] of words.entries()) {
    const start = text + BigInt(i) * 0x100n;
    const addrBase = { section: addresses.length };
    addresses.u64(0).u64(start);
    const stmtList = {
      section: writer.lines(
        ['/src'],
        [
          [`${word}.c`, 0],
          [`${word}.c`, 0],
        ],
        [
          [start, 1, 10],
          [start + 32n, null],
        ],
      ),
    };
    const code = { stmtList, lowPc: { address: start }, highPc: 32 };
    writer.unit([], { compDir: '/gone/with/the/build', dwoName: `obj/${word}.dwo`, addrBase, ...code });
    if (write) writeFileSync(join(folder, `${word}.dwo`), moved(99n, word));
  }
  const path = join(folder, 'vmlinux');
  writeFileSync(path, writer.elf());
  return { info: new DwarfInfo(new DwarfFile(ElfFile.open(path)), 'vmlinux', 0n), folder };
}

test('entries that were moved to .dwo files are read from there, each file by its own names and addresses', (t) => {
  const { info } = skeletons(t, ['one', 'two']);
  for (const [i, word] of ['one', 'two'].entries()) {
    const at = virtAddr(text + BigInt(i) * 0x100n);
    assert.equal(typeText(info.function(`${word}_function`)!), 'int (int)');
    assert.equal(info.types.find(`struct struct_of_${word}`)?.kind, 'struct');
    assert.equal(info.code.line(at)?.file, `/src/${word}.c`);
    assert.deepEqual(
      info.code.inlines(at).map(({ name, calledAt }) => [name, calledAt?.file, calledAt?.line]),
      [[`${word}_inlined`, `/src/${word}.c`, 77]],
    );
    assert.deepEqual(
      info.code.locals(at).map(({ name, type }) => [name, typeText(type!)]),
      [['count', 'int']],
    );
  }
  assert.deepEqual(info.problems, []);
});

test('without its .dwo files a kernel has lines, and says what is missing', (t) => {
  const { info } = skeletons(t, ['one', 'two'], false);
  assert.equal(info.code.line(virtAddr(text))?.line, 10);
  assert.equal(info.function('one_function'), null);
  assert.match(info.problems[0]!.message, /in files that are not there: obj\/one.dwo and 1 more/);
});

test('a .dwo file of another build, or damaged, is not used', (t) => {
  const { info, folder } = skeletons(t, ['one', 'two']);
  writeFileSync(join(folder, 'one.dwo'), moved(98n, 'one'));
  writeFileSync(join(folder, 'two.dwo'), 'nothing of the kind');
  assert.equal(info.function('one_function'), null);
  assert.deepEqual(
    info.problems.map(({ message }) => message.replace(folder, '')),
    ['/one.dwo: is of another build than what refers to it', '/two.dwo: is not an ELF file'],
  );
});
