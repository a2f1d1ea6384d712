// The secrets that are known by their types: keys that the kernel holds for others, and what processes were told.
import type { Kernel } from '../kernel.ts';
import { processArguments, type StringArea } from '../process_arguments.ts';
import { diskSecrets } from './dm_crypt.ts';
import { keySecrets } from './key.ts';
import type { Secret, SecretKind } from './secret.ts';
import { tlsSecrets } from './tls.ts';
import { wireguardSecrets } from './wireguard.ts';

/** Everything that is known to be secret. What cannot be read is a fault. */
export function secretsOf(kernel: Kernel): Secret[] {
  const found: Secret[] = [];
  for (const [what, find] of [
    ['keys', keySecrets],
    ['keys of disks', diskSecrets],
    ['TLS keys', tlsSecrets],
    ['WireGuard keys', wireguardSecrets],
    ['arguments and environment', processSecrets],
  ] as const) {
    kernel.faults.attempt(what, () => void found.push(...find(kernel)), undefined);
  }
  return found;
}

function processSecrets(kernel: Kernel): Secret[] {
  const found: Secret[] = [];
  for (const task of kernel.tasks.all) {
    if (task.pid !== task.tgid || task.kernelThread) continue;
    kernel.faults.attempt(
      'arguments',
      () => {
        const areas = processArguments(kernel, task);
        if (areas === null) return;
        const what = `pid ${task.pid} ${task.comm}`;
        found.push(...areaSecrets('arguments', what, areas.argv, areas.argv.strings.slice(1)));
        found.push(...areaSecrets('environment', what, areas.envp, areas.envp.strings.flatMap(assigned)));
      },
      undefined,
    );
  }
  return found;
}

/** `NAME=value`, and the value. */
function assigned(string: string): string[] {
  const at = string.indexOf('=');
  return at < 0 ? [string] : [string, string.slice(at + 1)];
}

function areaSecrets(
  kind: SecretKind,
  what: string,
  { space, start, length }: StringArea,
  values: readonly string[],
): Secret[] {
  return length === 0
    ? []
    : [{ kind, what, space, address: start, length, values: values.map((value) => Buffer.from(value)) }];
}
