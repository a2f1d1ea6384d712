// Checks of where dumps go: that it can be reached, has room, and is tidied up.
import { targetText } from '../config/capture_config.ts';
import { crashFolders } from '../crash_folders.ts';
import type { Host } from '../host.ts';
import { estimatedDump } from '../size.ts';
import { unmountedAbove } from '../storage.ts';
import type { TargetStack } from '../target_stack.ts';
import { type Finding, finding, type Question, sizeText } from './finding.ts';

const reach: Question = {
  id: 'target',
  why: 'the dump is written to the target by a kernel that knows only what it is given',
};
const room: Question = { id: 'target-space', why: 'a dump that does not fit is cut, or saved with less in it' };
const network: Question = {
  id: 'target-network',
  why: 'the capture kernel sets the network up anew, with the addresses of now',
};
const retention: Question = { id: 'retention', why: 'old dumps fill the disk that the next one needs' };
const selinux: Question = {
  id: 'selinux',
  why: 'files that the capture kernel writes carry no label: an enforcing policy may hide them from others than root',
};

export function targetChecks(host: Host): Finding[] {
  if (host.service === null) return [];
  const found = host.stacks.flatMap((stack) => stackChecks(host, stack));
  if (host.stacks.length === 0)
    found.push(
      finding(
        { ...reach, decides: true },
        'failed',
        'the configuration names no target that is known',
        'inquest kdump setup --target DIRECTORY',
      ),
    );
  return [...found, ...retentionChecks(host), ...selinuxChecks(host)];
}

function stackChecks(host: Host, stack: TargetStack): Finding[] {
  const { target, problems, mount, devices, fstype } = stack;
  const name = targetText(target);
  const own = host.service?.family === 'inquest';
  const found = problems.map((problem) =>
    finding(
      reach,
      own || !/not written|encrypted|multipath/.test(problem) ? 'failed' : 'warning',
      `${name}: ${problem}`,
      'name another target',
    ),
  );
  const absent =
    target.kind === 'directory' && target.device === null
      ? unmountedAbove(host.root, host.root.canonical(target.path) ?? target.path)
      : null;
  if (absent !== null)
    found.push(
      finding(
        reach,
        'failed',
        `${name}: ${absent.source} is not mounted at ${absent.at}, as /etc/fstab has it: the dump would go to what is below`,
        `mount ${absent.at}; inquest kdump load --rebuild`,
      ),
    );
  else if (problems.length === 0) {
    const below = devices
      .map(
        (device) =>
          `${device.name}${device.kind === 'disk' || device.kind === 'partition' ? '' : ` (${device.detail ?? device.kind})`}`,
      )
      .join(' on ');
    const seen = below !== '' || mount !== null || fstype !== null || target.kind === 'ssh' || target.kind === 'https';
    found.push(
      finding(
        reach,
        seen ? 'ok' : 'unknown',
        seen
          ? `${name}${fstype === null ? '' : `: ${fstype}`}${below === '' ? '' : ` on ${below}`}`
          : `${name}: what it lies on is not known`,
      ),
    );
  }
  if (target.kind === 'nfs' || target.kind === 'ssh' || target.kind === 'https') {
    if (stack.network !== null) found.push(finding(network, 'ok', `${name} is reached by ${stack.network}`));
    else if (host.isRunning && host.root.exists('/proc/net/route'))
      found.push(finding(network, 'warning', `${name}: there is no default route now`, 'ip route'));
  }
  if (target.kind === 'directory')
    found.push(
      ...roomChecks(
        host,
        stack,
        mount !== null && target.device !== null ? `${mount.at === '/' ? '' : mount.at}${target.path}` : target.path,
      ),
    );
  return found;
}

function roomChecks(host: Host, { target }: TargetStack, path: string): Finding[] {
  const estimate = estimatedDump(host);
  const free = host.root.freeSpace(path);
  if (estimate === null || free === null) return [];
  const { likely, most } = estimate;
  const words = `${targetText(target)}: ${sizeText(free)} are free, a dump takes about ${sizeText(likely)}, ${sizeText(most)} at the worst`;
  if (free < likely) return [finding(room, 'failed', words, 'inquest kdump prune, or another target')];
  if (free < most) return [finding(room, 'warning', words, 'inquest kdump prune, or a higher dump level')];
  return [finding(room, 'ok', words)];
}

function retentionChecks(host: Host): Finding[] {
  const { service, root } = host;
  const folder = host.targets.find((target) => target.kind === 'directory')?.path;
  if (service === null || folder === undefined) return [];
  const crashes = crashFolders(root, folder);
  const bytes = crashes.reduce((sum, crash) => sum + crash.bytes, 0);
  const { number, days, size } = service.configuration.config.retention;
  const words = `${crashes.length} crashes of ${sizeText(bytes)} lie in ${folder}`;
  if (number === null && days === null && size === null && crashes.length >= 10)
    return [
      finding(retention, 'warning', `${words}, and nothing takes old ones away`, 'inquest kdump prune --keep 10'),
    ];
  return [finding(retention, crashes.length === 0 ? 'ok' : 'info', words)];
}

function selinuxChecks({ root, targets }: Host): Finding[] {
  const folder = targets.find((target) => target.kind === 'directory')?.path;
  if (folder === undefined || root.word('/sys/fs/selinux/enforce') !== '1') return [];
  return [finding(selinux, 'info', 'SELinux enforces', `after a crash: restorecon -R ${folder}`)];
}
