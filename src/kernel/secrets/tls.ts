// include/net/tls.h: keys of TLS connections that the kernel encrypts.
//
//   inet_connection_sock { icsk_ulp_ops "tls", icsk_ulp_data } --> tls_context { crypto_send, crypto_recv, priv_ctx_* }
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../kernel.ts';
import { networkNamespaces } from '../net_namespace.ts';
import { socketsOf } from '../sock_table.ts';
import { cipherSecret, objectSecret, type Secret } from './secret.ts';

/** Members of union tls_crypto_context that have a key, for each cipher. */
const keyed = /^(aes|chacha|sm4|aria)/;

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
    // the longest key that it can have: a shorter one's end is salt and the like
    for (const name of memberNames(own)) {
      const key = own.optional(`${name}.key`);
      if (key !== null && keyed.test(name)) found.push(...objectSecret(kernel, 'TLS key', what, key));
    }
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

function memberNames({ type }: KernelObject): readonly string[] {
  return type.kind === 'struct' || type.kind === 'union' ? type.members.map(({ name }) => name ?? '') : [];
}
