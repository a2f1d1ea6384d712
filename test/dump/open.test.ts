import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FormatError, InquestError } from '../../src/base/errors.ts';
import { InputError } from '../../src/dump/byte_source.ts';
import { isDump, openDump } from '../../src/dump/open.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { page, tempDirectory, tempFiles } from '../support/dump_writers/temp_files.ts';

const pages = new Map([[1, page(1)]]);

describe('openDump', () => {
  it('says in one line why a path cannot be read', (t) => {
    const directory = tempDirectory(t);
    const paths = {
      missing: join(directory, 'missing'),
      directory: join(directory, 'directory'),
      empty: join(directory, 'empty'),
      loop: join(directory, 'loop'),
      pipe: join(directory, 'pipe'),
    };
    mkdirSync(paths.directory);
    writeFileSync(paths.empty, '');
    symlinkSync('loop', paths.loop);
    spawnSync('mkfifo', [paths.pipe]);
    const refuse = (path: string, expected: string): void => {
      assert.throws(
        () => openDump([path]),
        (error) => {
          assert.ok(error instanceof InputError);
          assert.equal(error.message, `${path}: ${expected}`);
          return true;
        },
      );
      assert.equal(isDump(path), false);
    };
    refuse(paths.missing, 'no such file');
    refuse(join(paths.empty, 'x'), 'no such file');
    refuse(paths.directory, 'is a directory');
    refuse(paths.empty, 'is empty');
    refuse(paths.loop, 'too many symbolic links');
    refuse(paths.pipe, 'is not a regular file');
    refuse('/dev/null', 'is not a regular file');
  });

  it('says that a file may not be read', { skip: process.getuid?.() === 0 && 'root may read everything' }, (t) => {
    const [path] = tempFiles(t, writeKdump({ pages }));
    chmodSync(path!, 0);
    assert.throws(() => openDump([path!]), /permission denied/);
  });

  it('refuses what is not a dump, and nothing at all', (t) => {
    for (const content of ['x', 'KDUMP', 'hello\n'.repeat(1000), '\0'.repeat(5000), '\x7fELF']) {
      const [path] = tempFiles(t, Buffer.from(content, 'latin1'));
      assert.throws(() => openDump([path!]), FormatError, content.slice(0, 10));
    }
    assert.throws(() => openDump([]), /no file given/);
  });

  it('refuses one file under two names', (t) => {
    const [path] = tempFiles(t, writeKdump({ pages }));
    symlinkSync(path!, `${path}-link`);
    assert.throws(() => openDump([path!, `${path}-link`]), /is the same file as/);
  });

  it('takes neither long nor much memory for a sparse file of terabytes', (t) => {
    // everything claimed, nothing there
    const [path] = tempFiles(t, writeKdump({ pages, maxMapnr: 1 << 20, status: 8, lies: { dumped: () => true } }));
    truncateSync(path!, 2 ** 40);
    const dump = openDump([path!]);
    t.after(() => dump.close());
    assert.equal(dump.info.pages.total, 1 << 20);
    assert.equal(dump.info.complete, false);
  });
});

describe('isDump', () => {
  it('tells dumps from text by content', (t) => {
    const dumps = [writeKdump({ pages }), writeElfCore({ segments: [{ address: 0, bytes: page(1) }] })];
    for (const bytes of [...dumps, ...dumps.map((dump) => flatten(dump))]) {
      assert.equal(isDump(tempFiles(t, bytes)[0]!), true);
    }
    assert.equal(isDump(tempFiles(t, Buffer.from('[    0.000000] Linux version 6.1\n'))[0]!), false);
  });
});

describe('a broken dump', () => {
  const kdump = writeKdump({
    pages: new Map(Array.from({ length: 12 }, (_, i) => [i * 3, page(i)])),
    ram: [[0, 64]],
    compression: 'zlib',
    vmcoreinfo: 'OSRELEASE=6.1\nPAGESIZE=4096\n',
    eraseInfo: 'erase x size 8\n',
  });
  const elf = writeElfCore({ segments: [...Array(8).keys()].map((i) => ({ address: i * 0x3000, bytes: page(i) })) });
  const kinds: [string, Uint8Array][] = [
    ['kdump', kdump],
    ['ELF', elf],
    ['flattened kdump', flatten(kdump, 512)],
    ['flattened ELF', flatten(elf, 900)],
  ];

  /** Everything that a reader gives, read; errors of our own are allowed, others are not. */
  function exhaust(path: string): void {
    const allow = (run: () => void): void => {
      try {
        run();
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    };
    allow(() => {
      const dump = openDump([path]);
      try {
        JSON.stringify(dump.info);
        assert.ok(dump.info.pages.present >= 0 && dump.info.pages.lost >= 0);
        const frames = Math.min(dump.memory.maxPfn, 80);
        for (let frame = 0; frame < frames; frame++) {
          const state = dump.memory.pageState(frame as never);
          let read = false;
          allow(() => {
            read = dump.memory.page(frame as never).length === dump.memory.pageSize;
          });
          assert.ok(!read || state === 'present', `page ${frame} of ${path} reads and is ${state}`);
        }
        dump.memory.ramRanges();
      } finally {
        dump.close();
      }
    });
  }

  for (const [kind, whole] of kinds) {
    it(`never does worse than its own errors: ${kind} with bytes changed`, (t) => {
      let random = 12345;
      const next = (below: number): number => {
        random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
        return Math.floor((random / 2 ** 32) * below);
      };
      // most bytes that mean something stand in the headers
      const interesting = [0, 4096, 8192, 8704, 9216].map((at) => at % whole.length);
      for (let round = 0; round < 250; round++) {
        const bytes = whole.slice();
        for (let n = next(3); n >= 0; n--) {
          const at = next(2) === 0 ? next(whole.length) : interesting[next(interesting.length)]! + next(512);
          if (at < bytes.length) bytes[at] = [0, 0xff, 0x80, 1, next(256)][next(5)]!;
        }
        exhaust(tempFiles(t, bytes)[0]!);
      }
    });

    it(`never does worse than its own errors: ${kind} cut anywhere`, (t) => {
      for (let length = 0; length < whole.length; length += 173) exhaust(tempFiles(t, whole.subarray(0, length))[0]!);
    });
  }
});
