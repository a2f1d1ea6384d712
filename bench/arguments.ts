// `node bench/arguments.ts DUMP VMLINUX [--frames N] [--differences N]`: how many arguments of the innermost frames of
// every stack `bt --args` recovers without debug information, and how many of those are what the locations of the
// kernel's DWARF say. A parameter that its function has changed since differs rightly: look at those that are listed.
import { parseArgs } from 'node:util';
import type { FrameState } from '../src/debuginfo/debug_info.ts';
import { DebugFiles } from '../src/debuginfo/files/debug_files.ts';
import { localValue } from '../src/debuginfo/local_value.ts';
import { sizeOf } from '../src/debuginfo/type.ts';
import { openDump } from '../src/dump/open.ts';
import { backtracer, type Frame } from '../src/kernel/backtrace.ts';
import { frameStates } from '../src/kernel/frame_state.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';
import { codeInfoAt, frameCode } from '../src/kernel/source_line.ts';
import { argumentsOf, howKnown } from '../src/origin/arguments.ts';
import { stackValues } from '../src/origin/stack_values.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: 'string', default: '5' },
    differences: { type: 'string', default: '20' },
  },
});
const [dump, vmlinux] = positionals;
if (dump === undefined || vmlinux === undefined) {
  console.error('usage: node bench/arguments.ts DUMP VMLINUX [--frames N] [--differences N]');
  process.exit(2);
}

/** What the dump alone tells, and what the file tells. */
const alone = openKernel(openDump([dump]));
const files = new DebugFiles({ vmlinux, modules: [], dirs: [], force: false, fetch: null, tell: () => {} });
const told = openKernel(openDump([dump]), undefined, files);

const counts = { arguments: 0, recovered: 0, proved: 0, compared: 0, same: 0, dwarf: 0, provedWrong: 0 };
const differences = new Map<string, number>();
const start = performance.now();
let work = 0;
for (const task of alone.tasks.all) {
  const trace = backtracer(alone).of(task);
  const before = performance.now();
  const frames = stackValues(
    alone,
    trace,
    { asleep: task.active ? null : task, cpu: task.cpu },
    Number(values.frames) + 12,
  );
  work += performance.now() - before;
  const other = told.tasks.byAddress(task.address);
  const states = other === null ? [] : frameStates(told, backtracer(told).of(other), other.active ? null : other);
  let shown = 0;
  for (const [i, frame] of trace.frames.entries()) {
    if (frame.kind === 'entry' || frame.place === null || frame.place.symbol.module !== null) continue;
    if (shown++ >= Number(values.frames)) break;
    const prototype = alone.functionType(frame.place.symbol.name);
    if (prototype === null) continue;
    const own = frames[i] ?? null;
    const known = own === null ? [] : argumentsOf(own, prototype);
    for (const [n, { name, type }] of prototype.parameters.entries()) {
      counts.arguments++;
      const ours = known[n]?.known ?? null;
      const theirs = parameterOf(told, frame, name, states[i] ?? null);
      if (theirs !== null) counts.dwarf++;
      if (ours === null) continue;
      counts.recovered++;
      if (ours.sure === 'proved') counts.proved++;
      if (theirs === null) continue;
      counts.compared++;
      const bits = Math.min(8, sizeOf(type)) * 8;
      if (BigInt.asUintN(bits, ours.value) === BigInt.asUintN(bits, theirs)) {
        counts.same++;
        continue;
      }
      if (ours.sure === 'proved') counts.provedWrong++;
      const { words } = howKnown(own!, ours.holder);
      const what = `${frame.place.symbol.name}+${frame.place.offset} ${name}: ${ours.value.toString(16)} [${ours.sure}: ${words}], DWARF ${theirs.toString(16)}`;
      differences.set(what, (differences.get(what) ?? 0) + 1);
    }
  }
}

function parameterOf(kernel: Kernel, frame: Frame, name: string, state: FrameState | null): bigint | null {
  const at = frameCode(frame);
  const code = codeInfoAt(kernel, at);
  if (code === null || state === null) return null;
  const own = code.inlines(at).length;
  const local = code.locals(at).find((one) => one.kind === 'parameter' && one.inline === own && one.name === name);
  const found = local === undefined ? null : localValue(local, state, kernel);
  if (found === null || 'reason' in found || sizeOf(found.object.type) > 8) return null;
  try {
    return found.object.bigint();
  } catch {
    return null; // a struct, or memory that is not there
  }
}

const share = (part: number, of: number): string =>
  `${part} of ${of} (${((100 * part) / Math.max(1, of)).toFixed(1)} %)`;
console.log(
  `arguments of the ${values.frames} innermost frames of ${alone.tasks.all.length} tasks: ${counts.arguments}`,
);
console.log(
  `recovered: ${share(counts.recovered, counts.arguments)}, of these proved ${share(counts.proved, counts.recovered)}`,
);
console.log(`DWARF has a value for ${share(counts.dwarf, counts.arguments)}`);
console.log(`the same as DWARF: ${share(counts.same, counts.compared)}; proved and different: ${counts.provedWrong}`);
console.log(`${work.toFixed(0)} ms for the values, ${(performance.now() - start).toFixed(0)} ms with DWARF`);
for (const [what, times] of [...differences].slice(0, Number(values.differences)))
  console.log(`  ${times} times: ${what}`);
