// Golden texts: what a command or report printed once, kept beside the test. A difference is a failure and
// leaves `NAME.actual` for a look; RESET_GOLDEN=1 writes the texts anew.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Compares `text` with the file at `url` (made with `new URL('golden/x.txt', import.meta.url)`). */
export function assertGolden(url: URL, text: string): void {
  const path = fileURLToPath(url);
  if (process.env['RESET_GOLDEN'] !== undefined) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  const expected = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (expected === text) {
    rmSync(`${path}.actual`, { force: true });
    return;
  }
  writeFileSync(`${path}.actual`, text);
  assert.equal(text, expected, `${path} differs; the text of this run is in ${path}.actual`);
}
