// As salvage.test.ts, at a thousand places.
import { describe, it } from 'node:test';
import { cutDump, cutElfCore, cutStream } from './salvage_cuts.ts';

describe('what is salvaged of a dump that is cut at a thousand places', () => {
  it('is what was written before, of a kdump', (t) => cutDump(t, 1000));
  it('is what was written before, of an ELF core', (t) => cutElfCore(t, 1000));
  it('is what was written before, of a stream', (t) => cutStream(t, 1000));
});
