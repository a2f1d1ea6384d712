// What must not leave the house with a dump.
import type { AddressSpace } from '../../arch/address_space.ts';
import type { VirtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../kernel.ts';

export type SecretKind = (typeof secretKinds)[number];

export const secretKinds = ['key', 'disk key', 'TLS key', 'WireGuard key', 'arguments', 'environment'] as const;

/** Bytes of the dead machine's memory that hold a secret. */
export interface Secret {
  readonly kind: SecretKind;
  /** Whose, as in memory: escape it before printing. */
  readonly what: string;
  readonly space: AddressSpace;
  readonly address: VirtAddr;
  /** Bytes. */
  readonly length: number;
  /** What it is made of: each is a secret wherever it lies. */
  readonly values: readonly Uint8Array[];
}

/** Longest secret that is taken, in bytes: longer ones are broken lengths. */
const longest = 1 << 20;

/**
 * A secret in the kernel's memory. Null for one without bytes.
 * @param isValue whether all its bytes are the secret, rather than a structure that has it somewhere
 */
export function kernelSecret(
  { space }: Kernel,
  kind: SecretKind,
  what: string,
  address: VirtAddr,
  length: number,
  isValue = true,
): Secret[] {
  if (length <= 0 || length > longest || address === 0n) return [];
  const values = isValue ? [space.readUpTo(address, length).bytes] : [];
  return [{ kind, what, space, address, length, values }];
}

/** As `kernelSecret`, of an object's own bytes. */
export function objectSecret(
  kernel: Kernel,
  kind: SecretKind,
  what: string,
  object: KernelObject,
  isValue = true,
): Secret[] {
  return kernelSecret(kernel, kind, what, object.address, object.bytes().length, isValue);
}

/**
 * The context of a cipher (include/linux/crypto.h, struct crypto_tfm), where it keeps the keys that it was given, in a form
 * of its own.
 * @param tfm a `struct crypto_skcipher` or `crypto_aead`, or a pointer to one
 */
export function cipherSecret(kernel: Kernel, kind: SecretKind, what: string, tfm: KernelObject): Secret[] {
  const base = tfm.member('base');
  const algorithm = base.member('__crt_alg');
  if (algorithm.isNull) return [];
  const context = base.member('__crt_ctx');
  return kernelSecret(kernel, kind, what, context.address, algorithm.member('cra_ctxsize').number(), false);
}
