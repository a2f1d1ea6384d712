// include/net/tls.h: keys of TLS connections that the kernel encrypts.
//
//   inet_connection_sock { icsk_ulp_ops "tls", icsk_ulp_data } --> tls_context { crypto_send, crypto_recv, priv_ctx_* }
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../kernel.ts';
import { networkNamespaces } from '../net_namespace.ts';
import { socketsOf } from '../sock_table.ts';
import { cipherSecret, objectSecret, type Secret } from './secret.ts';

/** Members of struct tls_crypto_context that have a key, by `info.cipher_type` (include/uapi/linux/tls.h). */
const ciphers: Readonly<Record<number, string>> = {
  51: 'aes_gcm_128',
  52: 'aes_gcm_256',
  53: 'aes_ccm_128',
  54: 'chacha20_poly1305',
  55: 'sm4_gcm',
  56: 'sm4_ccm',
  57: 'aria_gcm_128',
  58: 'aria_gcm_256',
};

/** The keys of all TLS connections. */
export function tlsSecrets(kernel: Kernel): Secret[] {
  const { faults } = kernel;
  const found: Secret[] = [];
  if (kernel.types.find('struct tls_context') === null) return found;
  for (const net of networkNamespaces(kernel)) {
    for (const { address } of socketsOf(kernel, net, 'tcp')) {
      faults.attempt(
        'TLS connection',
        () => {
          const sock = kernel.object('struct inet_connection_sock', address);
          const ops = sock.optional('icsk_ulp_ops');
          if (ops === null || ops.isNull || ops.member('name').string() !== 'tls') return;
          const data = sock.member('icsk_ulp_data').cast('struct tls_context *');
          if (!data.isNull) found.push(...contextSecrets(kernel, data.deref(), `socket ${address.toString(16)}`));
        },
        undefined,
      );
    }
  }
  return found;
}

function contextSecrets(kernel: Kernel, context: KernelObject, what: string): Secret[] {
  const found: Secret[] = [];
  for (const [crypto, priv, type, tfm] of [
    ['crypto_send', 'priv_ctx_tx', 'struct tls_sw_context_tx *', 'aead_send'],
    ['crypto_recv', 'priv_ctx_rx', 'struct tls_sw_context_rx *', 'aead_recv'],
  ] as const) {
    const own = context.member(crypto);
    found.push(...objectSecret(kernel, 'TLS key', what, own, false));
    const cipher = ciphers[own.optional('info.cipher_type')?.number() ?? 0];
    const key = cipher === undefined ? null : own.optional(`${cipher}.key`);
    if (key !== null) found.push(...objectSecret(kernel, 'TLS key', what, key));
    found.push(
      ...kernel.faults.attempt('TLS cipher', () => {
        const data = context.member(priv).cast(type);
        const cipher = data.isNull ? null : data.member(tfm);
        return cipher === null || cipher.isNull ? [] : cipherSecret(kernel, 'TLS key', what, cipher);
      }, []),
    );
  }
  return found;
}
