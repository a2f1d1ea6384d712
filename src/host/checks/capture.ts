// Checks of the capture kernel: that one is loaded, of the right release, and has what the targets need.
import { readManifest } from '../capture_image.ts';
import type { Host } from '../host.ts';
import { captureFolder } from '../kdump_services.ts';
import { imageRelease, kernelImage } from '../kernel_build.ts';
import { moduleName } from '../modules.ts';
import { neededSize } from '../size.ts';
import { howToAsk } from './boot.ts';
import { type Finding, finding, type Question, sizeText } from './finding.ts';

const loaded: Question = {
  id: 'loaded',
  why: 'a panic jumps into the capture kernel that is loaded: without one the machine halts or reboots',
  decides: true,
};
const service: Question = { id: 'service', why: 'the capture kernel must be loaded anew at every boot' };
const doubled: Question = {
  id: 'services',
  why: "two services replace each other's capture kernel, and which one wins changes from boot to boot",
};
const release: Question = {
  id: 'capture-release',
  why: 'a capture kernel of another release does not find its modules, and may not know the hardware',
};
const image: Question = {
  id: 'capture-initramfs',
  why: 'the capture kernel has no disk: all that it needs is in its initramfs',
};
const drivers: Question = {
  id: 'capture-modules',
  why: 'without the modules of the target it is not reached, and the dump is lost',
};
const room: Question = {
  id: 'capture-memory',
  why: 'a capture kernel that runs out of memory kills what saves the dump',
};
const fresh: Question = {
  id: 'capture-fresh',
  why: 'an initramfs that is older than its configuration does what was configured before',
};

export function captureChecks(host: Host): Finding[] {
  return [
    ...loadedChecks(host),
    ...serviceChecks(host),
    ...releaseChecks(host),
    ...imageChecks(host),
    ...roomChecks(host),
  ];
}

function howToLoad({ service: active }: Host): string {
  switch (active?.family) {
    case 'inquest':
      return 'inquest kdump load';
    case 'kdump-tools':
      return 'kdump-config load';
    case 'kdump-utils':
      return 'kdumpctl restart';
    case 'suse':
      return 'systemctl restart kdump.service';
    case undefined:
      return 'inquest kdump setup';
  }
}

function howToRebuild({ service: active, release: running }: Host): string {
  switch (active?.family) {
    case 'kdump-tools':
      return `kdump-config unload; update-initramfs -u -k ${running ?? 'all'}; kdump-config load`;
    case 'kdump-utils':
      return 'kdumpctl rebuild; kdumpctl restart';
    case 'suse':
      return 'mkdumprd -f; systemctl restart kdump.service';
    default:
      return 'inquest kdump rebuild';
  }
}

function loadedChecks(host: Host): Finding[] {
  const { reservation } = host;
  if (reservation.loaded === null)
    return [finding(loaded, 'unknown', 'whether one is loaded is not known (/sys/kernel/kexec_crash_loaded)')];
  if (reservation.loaded) return [finding(loaded, 'ok', 'a capture kernel is loaded')];
  return [finding(loaded, 'failed', 'no capture kernel is loaded', howToLoad(host))];
}

function serviceChecks({ services }: Host): Finding[] {
  if (services.length === 0)
    return [finding({ ...service, decides: true }, 'failed', 'no kdump is configured', 'inquest kdump setup')];
  const found: Finding[] = [];
  const enabled = services.filter(({ isEnabled }) => isEnabled);
  if (enabled.length > 1) {
    found.push(
      finding(
        doubled,
        'failed',
        `${enabled.map(({ unit }) => unit).join(' and ')} are both started at boot`,
        `systemctl disable --now ${enabled.find(({ family }) => family !== 'inquest')!.unit}`,
      ),
    );
  }
  const one = enabled[0];
  if (one !== undefined) found.push(finding(service, 'ok', `${one.unit} is started at boot`));
  else {
    const { unit, isMasked } = services[0]!;
    found.push(
      finding(
        service,
        'failed',
        `${unit} is ${isMasked ? 'masked' : 'not started at boot'}`,
        `${isMasked ? `systemctl unmask ${unit}; ` : ''}systemctl enable --now ${unit}`,
      ),
    );
  }
  return found;
}

function releaseChecks(host: Host): Finding[] {
  const { root, service: active, release: running } = host;
  if (active === null || running === null) return [];
  if (active.kernel === null) {
    const place = kernelImage(root, running);
    return [
      finding(
        release,
        'failed',
        `there is no capture kernel${place === null ? `, and no file of ${running} in /boot` : ''}`,
        howToRebuild(host),
      ),
    ];
  }
  const path = root.canonical(active.kernel) ?? active.kernel;
  const says = imageRelease(root, active.kernel) ?? /vmlinuz-(.+)$/.exec(path)?.[1] ?? null;
  // its modules are those of the release that its initramfs was built for, whichever runs
  const built = active.family === 'inquest' ? (readManifest(root.place(captureFolder) ?? '')?.release ?? null) : null;
  if (says !== null && built !== null && says !== built)
    return [
      finding(
        { ...release, decides: true },
        'failed',
        `the capture kernel is ${says}, and the modules of its initramfs are of ${built}`,
        howToRebuild(host),
      ),
    ];
  if (says === null) return [finding(release, 'info', `the release of ${path} is not known`)];
  if (says === running) return [finding(release, 'ok', `the capture kernel is ${says}, as the running one`)];
  return [finding(release, 'warning', `the capture kernel is ${says}, the running one ${running}`, howToRebuild(host))];
}

function imageChecks(host: Host): Finding[] {
  const { root, service: active, image: content, stacks, modules, release: running } = host;
  if (active === null) return [];
  if (active.initramfs === null)
    return [finding({ ...image, decides: true }, 'failed', 'there is no capture initramfs', howToRebuild(host))];
  const found: Finding[] = [];
  const size = root.size(active.initramfs) ?? 0;
  if (content === null || typeof content === 'string') {
    found.push(
      finding(
        image,
        content?.startsWith('packed with') ? 'unknown' : 'failed',
        `${active.initramfs} (${sizeText(size)}): ${content ?? 'cannot be read'}`,
        content?.startsWith('packed with') ? null : howToRebuild(host),
      ),
    );
    return [...found, ...freshChecks(host)];
  }
  found.push(finding(image, 'ok', `${active.initramfs}: ${sizeText(size)}, ${sizeText(content.unpacked)} unpacked`));
  const releases = new Set(content.paths.flatMap((path) => /lib\/modules\/([^/]+)\//.exec(path)?.[1] ?? []));
  if (running !== null && releases.size > 0 && !releases.has(running)) {
    found.push(
      finding(
        drivers,
        'failed',
        `${active.initramfs} has modules of ${[...releases].join(', ')}, and ${running} runs`,
        howToRebuild(host),
      ),
    );
  } else if (modules !== null) {
    const inside = new Set(content.paths.filter((path) => /\.ko(\.\w+)?$/.test(path)).map(moduleName));
    const wanted = modules.closure(stacks.flatMap((stack) => stack.modules)).order;
    const missing = wanted.filter((name) => !inside.has(name) && !/^crc32c_generic$/.test(name));
    if (missing.length > 0)
      found.push(
        finding(
          drivers,
          'failed',
          `${active.initramfs} lacks ${missing.join(', ')}, which the target needs`,
          howToRebuild(host),
        ),
      );
    else
      found.push(
        finding(
          drivers,
          'ok',
          wanted.length === 0
            ? 'what drives the target is built into the kernel'
            : `it has the ${wanted.length} modules that the target needs`,
        ),
      );
  }
  return [...found, ...freshChecks(host)];
}

function freshChecks(host: Host): Finding[] {
  const { root, service: active } = host;
  const built = active?.initramfs == null ? null : root.changed(active.initramfs);
  if (active === null || built === null) return [];
  const newer = active.configuration.files
    .filter(({ path }) => (root.changed(path) ?? 0) > built)
    .map(({ path }) => path);
  if (newer.length === 0 || active.family === 'kdump-tools') return []; // reads its file when it runs
  return [
    finding(fresh, 'warning', `${newer.join(' and ')} changed after ${active.initramfs} was built`, howToRebuild(host)),
  ];
}

function roomChecks(host: Host): Finding[] {
  const { reservation } = host;
  if (reservation.size === null || reservation.size === 0) return [];
  const { items, total } = neededSize(host);
  const largest = [...items].sort((a, b) => b.bytes - a.bytes)[0]!;
  const words = `${sizeText(reservation.size)} are reserved, about ${sizeText(total)} are needed (most of it: ${largest.name})`;
  if (reservation.size >= total) return [finding(room, 'ok', words)];
  const rounded = `${Math.ceil(total / (64 << 20)) * 64}M`;
  return [finding(room, reservation.size < total * 0.7 ? 'failed' : 'warning', words, howToAsk(host, rounded))];
}
