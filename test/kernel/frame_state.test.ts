// The registers of frames: a wrong stack pointer in one gives wrong variables in all that called it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offsetBy, virtAddr } from '../../src/base/address.ts';
import type { DebugInfo, FrameState, UnwindRule } from '../../src/debuginfo/debug_info.ts';
import { backtracer } from '../../src/kernel/backtrace.ts';
import { frameStates } from '../../src/kernel/frame_state.ts';
import { DyingArm64 } from '../support/dying_arm64.ts';

test('arm64: a stack pointer that lies below the frame record is that of the call, not the record', () => {
  const dying = DyingArm64.make();
  const sleeper = dying.task({ pid: 12, comm: 'sleeper' });
  dying.sleeps(sleeper, ['schedule', 'worker', 'kthread'], 1);
  const task = dying.tasks.byPid(12)!;
  const trace = backtracer(dying).of(task);
  const named = (name: string) => trace.frames.findIndex((frame) => frame.place?.symbol.name === name);
  const record = trace.frames[named('schedule')]!.frameAddress;
  dying.space.words(record + 24n, 0x1234n); // x19 of its caller

  const rule = (size: bigint, saved: bigint | null): UnwindRule => ({
    start: virtAddr(0n),
    end: virtAddr(0n),
    distances: null,
    signalFrame: false,
    cfa: ({ registers }) => virtAddr(registers['sp']! + size),
    caller: ({ cfa, registers }: FrameState) => ({
      ...registers,
      x19: saved === null ? registers['x19']! : dying.space.u64(offsetBy(cfa!, -Number(saved))),
    }),
  });
  // __schedule() hands schedule() 16 bytes that are below its record; of its own frame the caller's x19 is the top
  const rules: Record<string, UnwindRule> = {
    __switch_to: rule(32n, null),
    __schedule: rule(16n, null),
    schedule: rule(48n, 8n),
  };
  const code = {
    unwindRule: (at: bigint) => rules[dying.place(virtAddr(at))?.symbol.name ?? ''] ?? null,
  };
  dying.addDebugInfo({ code } as unknown as DebugInfo);

  const states = frameStates(dying, trace, task);
  assert.equal(states[named('schedule')]!.registers['sp'], record - 16n);
  assert.equal(states[named('schedule')]!.registers['x29'], record);
  assert.equal(states[named('worker')]!.registers['x19'], 0x1234n);
});
