// Holds the DWARF reader against others on a real kernel: every type that BTF has against DWARF's, and random addresses
// of code against addr2line. For a vmlinux that has both:
//
//   node scripts/check-debuginfo.ts VMLINUX [ADDRESSES] [ADDR2LINE]
//
// binutils before 2.41 names the unit's own file for rows of file 1 in DWARF 5; llvm-addr2line and eu-addr2line do not.
import { execFileSync } from 'node:child_process';
import { virtAddr } from '../src/base/address.ts';
import { BtfTypes } from '../src/debuginfo/btf.ts';
import { definition } from '../src/debuginfo/c_declaration.ts';
import { DwarfFile } from '../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../src/debuginfo/elf/elf_file.ts';

const [path, wanted = '200', program = 'addr2line'] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: check-debuginfo.ts VMLINUX [ADDRESSES] [ADDR2LINE]');
const elf = ElfFile.open(path);
const info = new DwarfInfo(new DwarfFile(elf), 'vmlinux', 0n);
let wrong = 0;

function differs(what: string, theirs: string, ours: string): void {
  if (++wrong <= 20) console.log(`${what}\n  theirs  ${theirs}\n  ours    ${ours}`);
}

function checkTypes(): void {
  const section = elf.section('.BTF');
  if (section === null) return;
  const content = elf.content(section);
  const btf = new BtfTypes(content.read(0, content.size));
  const names = new Map<string, number>();
  for (const type of btf.all()) {
    if (type.kind !== 'struct' && type.kind !== 'union' && type.kind !== 'enum' && type.kind !== 'typedef') continue;
    const name = type.kind === 'typedef' ? type.name : `${type.kind} ${type.name}`;
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  // pahole before 1.28 writes an array of several dimensions as one
  const flat = (text: string): string =>
    text.replace(/(\[\d+\]){2,}/g, (all) => `[${[...all.matchAll(/\d+/g)].reduce((n, [m]) => n * Number(m), 1)}]`);
  let same = 0;
  let inside = 0;
  for (const [name, count] of names) {
    if (count > 1) continue; // of several types of one name either may be meant
    const theirs = btf.find(name)!;
    const ours = info.types.find(name);
    if (ours === null)
      inside++; // declared in a function
    else if (flat(definition(ours, { radix: 10 })) === flat(definition(theirs, { radix: 10 }))) same++;
    else differs(name, definition(theirs, { radix: 10 }), definition(ours, { radix: 10 }));
  }
  console.log(`types: ${same} equal in BTF and DWARF, ${inside} in functions only`);
}

function checkLines(count: number): void {
  const text = elf.section('.text');
  if (text === null) return;
  const addresses = Array.from({ length: count }, () => text.address + BigInt(Math.floor(Math.random() * text.size)));
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const output = execFileSync(program, ['-e', path!], { input, encoding: 'utf8', maxBuffer: 1 << 26 })
    .trim()
    .split('\n');
  let same = 0;
  for (const [i, address] of addresses.entries()) {
    const line = info.code.line(virtAddr(address));
    const ours = line === null ? '??:0' : `${line.file}:${line.line}`;
    const theirs = output[i]!.replace(/ \(discriminator \d+\)$/, '')
      .replace(/:\?$/, ':0')
      .replace(/^(.*:\d+):\d+$/, '$1');
    if (ours === theirs) same++;
    else differs(address.toString(16), theirs, ours);
  }
  console.log(`lines: ${same} of ${count} as ${program} has them`);
}

checkTypes();
checkLines(Number(wanted));
for (const problem of info.problems.slice(0, 10)) console.log(problem.message);
process.exitCode = wrong > 0 ? 1 : 0;
