// drivers/md/dm-crypt.c: keys of encrypted disks.
//
//   gendisk "dm-0" --> mapped_device { map } --> dm_table { targets[] } --> dm_target { type "crypt", private }
//     --> crypt_config { key_size, key[], cipher_tfm.tfms[] }
import { offsetBy } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { disks } from '../genhd.ts';
import type { Kernel } from '../kernel.ts';
import { cipherSecret, kernelSecret, type Secret } from './secret.ts';

/** Targets of a device, and ciphers of a target, at most. */
const most = 4096;

/** The keys of all encrypted disks, and the contexts of their ciphers. */
export function diskSecrets(kernel: Kernel): Secret[] {
  const found: Secret[] = [];
  for (const { address, name } of disks(kernel)) {
    if (!/^dm-\d+$/.test(name)) continue;
    kernel.faults.attempt(
      `keys of ${name}`,
      () => {
        const device = kernel.object('struct gendisk', address).member('private_data').cast('struct mapped_device *');
        const table = device.member('map').cast('struct dm_table *');
        if (table.isNull) return;
        const targets = table.member('targets');
        const count = Math.min(most, table.member('num_targets').number());
        for (let i = 0; i < count; i++) {
          const target = targets.index(i);
          if (target.member('type').member('name').string() === 'crypt')
            found.push(...configSecrets(kernel, name, target));
        }
      },
      undefined,
    );
  }
  return found;
}

function configSecrets(kernel: Kernel, name: string, target: KernelObject): Secret[] {
  const config = target.member('private').cast('struct crypt_config *').deref();
  const key = config.member('key').address;
  const size = config.member('key_size').number();
  // a key of XTS is two, each expanded on its own
  const halves = [key, offsetBy(key, size / 2)];
  const found = [
    ...kernelSecret(kernel, 'disk key', name, key, size),
    ...(size === 32 || size === 64 ? halves.flatMap((at) => kernelSecret(kernel, 'disk key', name, at, size / 2)) : []),
  ];
  const count = config.optional('tfms_count')?.number() ?? 1;
  const ciphers = config.member('cipher_tfm.tfms');
  for (let i = 0; i < Math.min(most, count); i++) {
    found.push(...kernel.faults.attempt('cipher', () => cipherSecret(kernel, 'disk key', name, ciphers.index(i)), []));
  }
  return found;
}
