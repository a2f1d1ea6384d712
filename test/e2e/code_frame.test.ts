// Where the machine code says that frames are, against the unwind tables that objtool made of the same code.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CodeFrames } from '../../src/arch/x86_64/code_frame.ts';
import { x86Decoder } from '../../src/arch/x86_64/decoder.ts';
import { offsetBy, virtAddr } from '../../src/base/address.ts';
import { OrcTables } from '../../src/debuginfo/orc.ts';
import { openDump } from '../../src/index.ts';
import { kernelView } from '../../src/kernel/kernel_view.ts';

const kernel = openDump(join(import.meta.dirname, '../../samples/vmcore'));
after(() => kernel.close());

/** Functions looked at, spread over the kernel's text. */
const functions = 300;

test("a frame's size by the code is that of the kernel's own table, wherever the code says one", () => {
  const view = kernelView(kernel);
  const orc = OrcTables.open(kernel.space, kernel.symbols.kernel ?? kernel.symbols, kernel.types);
  const frames = new CodeFrames(view);
  const [start, end] = [kernel.ownSymbol('_stext')!.address, kernel.ownSymbol('_etext')!.address];
  let [same, unknown] = [0, 0];
  for (let i = 0; i < functions; i++) {
    const within = view.functionAt(virtAddr(start + ((end - start) * BigInt(i)) / BigInt(functions)));
    if (within === null) continue;
    const { bytes } = kernel.space.readUpTo(within.start, 2048);
    for (const { address, flow, bytes: own } of x86Decoder.decode(bytes, within.start)) {
      if (view.functionAt(address)?.start !== within.start) break;
      const returned = flow === 'call';
      const ip = returned ? offsetBy(address, own.length) : address;
      const rule = orc.find(returned ? ip - 1n : ip);
      const frame = frames.at(ip, returned);
      if (rule?.type !== 'call' || rule.spRegister !== 'sp') continue;
      if (frame?.depth == null) unknown++;
      else {
        assert.equal(frame.depth + 8, rule.spOffset, `${within.name}+${address - within.start}`);
        same++;
      }
    }
  }
  assert.ok(same > 2000 && unknown < same / 4, `${same} the same, ${unknown} unknown`);
});
