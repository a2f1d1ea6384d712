// Source lines beside addr2line: of every frame in `foreach bt`, and of random code with what is inlined there.
import { virtAddr } from '../../src/base/address.ts';
import { type Comparison, entered, output, type Setup, sample, seenInside } from './setup.ts';

interface OurFrame {
  readonly address: string;
  readonly symbol: string | null;
  readonly module: string | null;
  readonly frameAddress: string;
  readonly source: { readonly file: string; readonly line: number } | null;
}

/** The line that `bt -l` shows of each frame, all tasks'. */
export function compareFrameLines(setup: Setup, program: string): Comparison {
  const { kernel, dump, vmlinux, modules, offset } = setup;
  const said = output([process.execPath, program, 'crash', '--json', dump, vmlinux, ...modules, '-c', 'foreach bt -l']);
  const frames: OurFrame[] = [];
  for (const line of said.trim().split('\n')) gatherFrames(JSON.parse(line), frames);
  const own = frames.filter(
    ({ module, address }) => module === null && kernel.arch.isKernelAddress(virtAddr(BigInt(address))),
  );
  const theirs = addr2line(
    setup,
    own.map(({ address }) => BigInt(address) - offset),
  );
  const differences: string[] = [];
  let more = 0;
  for (const [i, { symbol, source, address }] of own.entries()) {
    const mine = source === null ? '??:0' : `${source.file}:${source.line}`;
    const their = theirs[i]![0]!;
    if (their === '??:0' && source !== null) more++;
    else if (mine !== their) differences.push(`${symbol} at ${address}: ${mine}, addr2line ${their}`);
  }
  return {
    what: 'lines of frames in foreach bt -l, as addr2line',
    compared: own.length,
    equal: own.length - differences.length,
    differences,
    notes: more === 0 ? [] : [`${more} behind the end of their function, where inquest alone has the line of the call`],
  };
}

/** `count` instructions' addresses: any byte of the kernel's functions, with the lines of the calls inlined there. */
export function compareRandomAddresses(setup: Setup, count: number): Comparison {
  const { kernel, offset, seed } = setup;
  const start = kernel.variable('_stext').address;
  const size = Number(kernel.variable('_etext').address - start);
  const places = sample([...Array(count * 50).keys()], count, seed).map((i) => (i * 7919 * 4099) % size);
  const addresses = places.map((at) => virtAddr(start + BigInt(at)));
  const theirs = addr2line(
    setup,
    addresses.map((address) => address - offset),
    ['-i'],
  );
  const code = kernel.debugInfo(null).find((one) => one.code !== null)?.code ?? null;
  const differences: string[] = [];
  for (const [i, address] of addresses.entries()) {
    const lines: string[] = [];
    let line = code?.line(address) ?? null;
    for (const inlined of code?.inlines(address) ?? []) {
      lines.push(line === null ? '??:0' : `${line.file}:${line.line}`);
      line = inlined.calledAt;
    }
    lines.push(line === null ? '??:0' : `${line.file}:${line.line}`);
    const mine = lines.join(' < ');
    const their = theirs[i]!.join(' < ');
    if (mine !== their) differences.push(`${address.toString(16)}: ${mine}, addr2line ${their}`);
  }
  return {
    what: 'lines of random code, inlined calls with them, as addr2line -i',
    compared: count,
    equal: count - differences.length,
    differences,
    notes: [],
  };
}

/** Lines of linked addresses as `file:line`, each address's innermost first; `??:0` where there is none. */
function addr2line(setup: Setup, addresses: readonly bigint[], options: readonly string[] = []): string[][] {
  const input = addresses.map((address) => `0x${BigInt.asUintN(64, address).toString(16)}`).join('\n');
  const answers: string[][] = [];
  for (const line of output(
    entered(setup, ['addr2line', '-a', ...options, '-e', seenInside(setup, setup.vmlinux)]),
    `${input}\n`,
  )
    .trim()
    .split('\n')) {
    if (/^0x[0-9a-f]+$/.test(line)) answers.push([]);
    else answers.at(-1)!.push(told(line));
  }
  return answers;
}

function gatherFrames(data: unknown, into: OurFrame[]): void {
  if (typeof data !== 'object' || data === null) return;
  if ('frameAddress' in data && 'source' in data) into.push(data as OurFrame);
  else for (const value of Object.values(data)) gatherFrames(value, into);
}

/** Where no line is known, addr2line has a file of the table of symbols, or none. */
function told(line: string): string {
  const place = line.replace(/ \(discriminator \d+\)$/, '').replace(/:\?$/, ':0');
  return /^[^/]*:0$/.test(place) ? '??:0' : place;
}
