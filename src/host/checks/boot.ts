// Checks of what was asked for at boot, and what the kernel reserved.
import { crashkernelRequest, crashkernelSize, parseCrashkernel, valuesOf } from '../command_line.ts';
import { parseAssignments } from '../config/assignments.ts';
import type { Host } from '../host.ts';
import { grubPath } from '../setup/files.ts';
import { type Finding, finding, type Question, sizeText } from './finding.ts';

const asked: Question = {
  id: 'crashkernel',
  why: 'memory for the capture kernel must be set aside at boot',
  decides: true,
};
const reserved: Question = {
  id: 'reservation',
  why: 'the kernel reserves nothing where it finds no room, and goes on without a word but in its log',
  decides: true,
};
const next: Question = {
  id: 'crashkernel-next-boot',
  why: "what the boot loader's configuration says is what the next boot gets",
};

export function bootChecks(host: Host): Finding[] {
  return [...askedChecks(host), ...reservedChecks(host), ...nextBootChecks(host)];
}

/** How a distribution changes its kernel's command line. */
export function howToAsk(host: Host, size: string): string {
  if (host.root.exists('/usr/sbin/inquest') || host.root.exists('/usr/bin/inquest'))
    return `inquest kdump setup --crashkernel ${size}`;
  if (host.root.exists('/usr/sbin/grubby') || host.root.exists('/sbin/grubby'))
    return `grubby --update-kernel=ALL --args=crashkernel=${size}`;
  if (host.root.exists('/usr/sbin/update-grub'))
    return `add crashkernel=${size} to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, then: update-grub`;
  if (host.root.exists('/usr/sbin/kdumptool')) return 'kdumptool commandline -u';
  return `add crashkernel=${size} to the kernel's command line, and reboot`;
}

function askedChecks(host: Host): Finding[] {
  const { request, commandLine, memory } = host;
  if (commandLine === null || request === null)
    return [finding(asked, 'unknown', 'the command line is not known (/proc/cmdline)')];
  const found: Finding[] = request.problems.map((problem) =>
    finding(asked, request.main === 0 ? 'failed' : 'warning', problem, howToAsk(host, '256M')),
  );
  if (request.all.length === 0 && request.problems.length === 0)
    return [finding(asked, 'failed', 'there is no crashkernel= on the command line', howToAsk(host, '256M'))];
  if (request.main === 0 && request.all.length > 0) {
    const ram = memory === null ? 'this machine' : `a machine of ${sizeText(memory.ram)}`;
    found.push(
      finding(
        asked,
        'failed',
        `crashkernel=${request.all.at(-1)!.text} asks for nothing on ${ram}`,
        howToAskInstead(host, request.all.at(-1)!.text, '256M'),
      ),
    );
  }
  if (request.main > 0)
    found.push(
      finding(
        asked,
        'ok',
        `${request.all.map(({ text }) => `crashkernel=${text}`).join(' ')} asks for ${sizeText(request.main)}`,
      ),
    );
  return found;
}

function reservedChecks(host: Host): Finding[] {
  const { reservation, request } = host;
  if (reservation.size === null)
    return [finding(reserved, 'unknown', 'what is reserved is not known (/sys/kernel/kexec_crash_size)')];
  if (reservation.size === 0) {
    if (request !== null && request.main > 0) {
      return [
        finding(
          reserved,
          'failed',
          `nothing is reserved, and ${sizeText(request.main)} were asked for`,
          `look for "crashkernel" in the log of the boot; ask for less, or for crashkernel=${request.all.at(-1)!.text.split(/[@,]/)[0]!},high`,
        ),
      ];
    }
    return [finding(reserved, 'failed', 'nothing is reserved', howToAsk(host, '256M'))];
  }
  const wanted = request?.main ?? 0;
  if (wanted > 0 && reservation.size < wanted * 0.9) {
    return [
      finding(
        reserved,
        'warning',
        `${sizeText(reservation.size)} are reserved, and ${sizeText(wanted)} were asked for: it was made smaller since the boot`,
        'reboot',
      ),
    ];
  }
  const places = reservation.areas
    .map(({ start, end }) => `${sizeText(end - start)} at 0x${start.toString(16)}`)
    .join(', ');
  return [finding(reserved, 'ok', `${sizeText(reservation.size)} are reserved${places === '' ? '' : `: ${places}`}`)];
}

interface GrubRequest {
  readonly file: string;
  readonly line: number;
  /** What stands behind `crashkernel=`. */
  readonly value: string;
}

/** What grub's settings ask for, in the order in which they are read. */
function grubRequests({ root }: Host): readonly GrubRequest[] {
  const drops = root.list('/etc/default/grub.d').filter((name) => name.endsWith('.cfg'));
  const files = ['/etc/default/grub', ...drops.map((name) => `/etc/default/grub.d/${name}`)];
  return files.flatMap((file) =>
    parseAssignments(root.text(file) ?? '')
      .settings.filter(({ name }) => /^GRUB_CMDLINE_LINUX(_DEFAULT|_RECOVERY)?$/.test(name))
      .flatMap(({ value, line }) => valuesOf(value, 'crashkernel').map((one) => ({ file, line, value: one }))),
  );
}

/** What another program's file asks for in vain must go before anything else is asked for: the last one counts. */
function howToAskInstead(host: Host, value: string, size: string): string {
  const from = grubRequests(host).find((one) => one.value === value && one.file !== grubPath);
  const ask = howToAsk(host, size);
  return from === undefined ? ask : `take crashkernel=${value} out of ${from.file}:${from.line}, then: ${ask}`;
}

/** Settings of grub, which take effect when its configuration is made anew, and the machine boots. */
function nextBootChecks(host: Host): Finding[] {
  const { memory, commandLine } = host;
  const values = grubRequests(host);
  const found: Finding[] = [];
  for (const { file, line, value } of values) {
    const parsed = parseCrashkernel(value);
    if (typeof parsed === 'string')
      found.push(finding(next, 'failed', `${file}:${line}: ${parsed}`, `correct it, then: update-grub`));
    else if (memory !== null && crashkernelSize(parsed, memory.ram) === 0)
      found.push(
        finding(
          next,
          'failed',
          `${file}:${line}: crashkernel=${value} asks for nothing on a machine of ${sizeText(memory.ram)}`,
          'correct it, then: update-grub',
        ),
      );
  }
  const plain = values.filter(({ value }) => !/,(high|low|cma)$/.test(value));
  if (plain.length > 1) {
    const places = plain.map(({ file, line }) => `${file}:${line}`).join(', ');
    found.push(
      finding(
        next,
        'warning',
        `crashkernel= is set at ${places}: the last one on the command line counts`,
        'leave one of them, then: update-grub',
      ),
    );
  }
  if (commandLine !== null && memory !== null && plain.length === 1 && found.length === 0) {
    const now = crashkernelRequest(commandLine, memory.ram).main;
    const then = crashkernelRequest(`crashkernel=${plain[0]!.value}`, memory.ram).main;
    if (now !== then)
      found.push(
        finding(
          next,
          'warning',
          `${plain[0]!.file}:${plain[0]!.line} asks for ${sizeText(then)}, the running kernel was booted with ${sizeText(now)}`,
          'reboot (after update-grub)',
        ),
      );
  }
  return found;
}
