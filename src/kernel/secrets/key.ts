// include/linux/key.h: payloads of keys in the kernel's keyrings.
//
//   key_serial_tree --> key { type, description, payload } --> user_key_payload, encrypted_key_payload, ...
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../kernel.ts';
import { rbEntries } from '../rbtree.ts';
import { kernelSecret, type Secret } from './secret.ts';

/** A big_key's payload is in memory as it is up to here; else it is encrypted, and this has the key (big_key.c). */
const bigKeyInMemory = 4096;
const bigKeyKey = 32;

/** The payloads of all keys. A key that cannot be read is a fault. */
export function keySecrets(kernel: Kernel): Secret[] {
  const { faults } = kernel;
  const tree = kernel.ownSymbol('key_serial_tree');
  if (tree === null) return [];
  const found: Secret[] = [];
  const root = kernel.object('struct rb_root', tree.address);
  for (const key of rbEntries(root, 'struct key', 'serial_node', faults)) {
    found.push(...faults.attempt('key', () => payloadOf(kernel, key), []));
  }
  return found;
}

function payloadOf(kernel: Kernel, key: KernelObject): Secret[] {
  const type = key.member('type').member('name').string();
  const what = `${type} key ${key.member('serial').number().toString(16)} ${key.member('description').string()}`;
  const payload = key.member('payload');
  const first = payload.member('data[0]').pointer();
  if (first === 0n) return [];
  switch (type) {
    // public keys, and lists of keys
    case 'keyring':
    case 'asymmetric':
    case 'blacklist':
      return [];
    case 'big_key': {
      const big = kernel.types.find('struct big_key_payload');
      if (big === null) return [];
      const { address } = payload;
      const own = kernel.object(big, address);
      const length = own.member('length').number();
      return kernelSecret(
        kernel,
        'key',
        what,
        own.member('data').pointer(),
        length > bigKeyInMemory ? bigKeyKey : length,
      );
    }
    case 'encrypted': {
      const own = kernel.object('struct encrypted_key_payload', first);
      const length = own.member('decrypted_datalen').number();
      return kernelSecret(kernel, 'key', what, own.member('decrypted_data').pointer(), length);
    }
    case 'trusted': {
      const own = kernel.object('struct trusted_key_payload', first);
      return kernelSecret(kernel, 'key', what, own.member('key').address, own.member('key_len').number());
    }
    // user, logon, and those that are kept alike
    default: {
      const own = kernel.object('struct user_key_payload', first);
      return kernelSecret(kernel, 'key', what, own.member('data').address, own.member('datalen').number());
    }
  }
}
