// A dead kernel that holds keys for others: of an encrypted disk (dm-crypt), and of a TLS connection that it encrypts.
//
//   block_class --> dm-0 --> mapped_device --> dm_table --> dm_target "crypt" --> crypt_config { key, ciphers }
//   tcp_hashinfo --> socket { icsk_ulp_ops "tls" } --> tls_context { crypto_send, crypto_recv, ciphers }
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { sizeOf } from '../../src/debuginfo/type.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';
import { machine } from './task_writer.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct klist_node { void *n_klist; struct list_head n_node; };
  struct klist { struct list_head k_list; };
  struct device { struct device_private *p; };
  struct device_private { struct klist_node knode_class; struct device *device; };
  struct subsys_private { struct klist klist_devices; };
  struct class { struct subsys_private *p; };
  struct block_device { struct gendisk *bd_disk; u8 bd_partno; struct device bd_device; };
  struct gendisk { int major; int first_minor; char disk_name[32]; void *queue; void *fops; void *private_data; };
  struct mapped_device { void *map; };
  struct target_type { char *name; };
  struct dm_target { struct target_type *type; void *private; };
  struct dm_table { unsigned int num_targets; struct dm_target *targets; };
  struct crypto_alg { unsigned int cra_ctxsize; };
  struct crypto_tfm { struct crypto_alg *__crt_alg; void *__crt_ctx[32]; };
  struct crypto_skcipher { unsigned int reqsize; struct crypto_tfm base; };
  struct crypto_aead { unsigned int authsize; struct crypto_tfm base; };
  union cipher_tfm { struct crypto_skcipher **tfms; struct crypto_aead **tfms_aead; };
  struct crypt_config { union cipher_tfm cipher_tfm; unsigned int tfms_count; unsigned int key_size; u8 key[64]; };

  struct in6_addr { u8 bytes[16]; };
  struct possible_net { struct net *net; };
  struct sock_common { u32 skc_daddr; u32 skc_rcv_saddr; u16 skc_dport; u16 skc_num; u16 skc_family; u8 skc_state;
    struct possible_net skc_net; struct in6_addr skc_v6_daddr; struct in6_addr skc_v6_rcv_saddr;
    struct hlist_node skc_node; };
  struct sock { struct sock_common __sk_common; u16 sk_type; u16 sk_protocol; struct socket *sk_socket; };
  struct inet_sock { struct sock sk; u16 inet_sport; };
  struct tcp_ulp_ops { struct list_head list; char name[16]; };
  struct inet_connection_sock { struct inet_sock icsk_inet; struct tcp_ulp_ops *icsk_ulp_ops; void *icsk_ulp_data; };
  struct tcp_sock { struct inet_connection_sock inet_conn; u32 rcv_nxt; u32 copied_seq; u32 write_seq; u32 snd_una; };
  struct inet_ehash_bucket { struct hlist_head chain; };
  struct inet_listen_hashbucket { int lock; struct hlist_head nulls_head; };
  struct inet_hashinfo { struct inet_ehash_bucket *ehash; u32 ehash_mask; u32 lhash2_mask;
    struct inet_listen_hashbucket *lhash2; };
  struct net { struct list_head list; };
  struct tls_crypto_info { u16 version; u16 cipher_type; };
  struct tls12_crypto_info_aes_gcm_256 { struct tls_crypto_info info; u8 iv[8]; u8 key[32]; u8 salt[4]; u8 rec_seq[8]; };
  union tls_crypto_context { struct tls_crypto_info info; struct tls12_crypto_info_aes_gcm_256 aes_gcm_256; };
  struct tls_sw_context_tx { struct crypto_aead *aead_send; };
  struct tls_sw_context_rx { struct crypto_aead *aead_recv; };
  struct tls_context { void *priv_ctx_tx; void *priv_ctx_rx; union tls_crypto_context crypto_send;
    union tls_crypto_context crypto_recv; };
`;

/** TLS_CIPHER_AES_GCM_256 (include/uapi/linux/tls.h). */
const aesGcm256 = 52;

export interface KeptSecrets {
  /** As the user gave it: 64 bytes, two keys of AES for XTS. */
  readonly disk: Uint8Array;
  /** 32 bytes each. */
  readonly sent: Uint8Array;
  readonly received: Uint8Array;
  /** What a cipher makes of its key, in a form that nobody else knows: at most 256 bytes each. */
  readonly contexts: { readonly disk: Uint8Array; readonly sent: Uint8Array; readonly received: Uint8Array };
}

/** A kernel that holds these. */
export function secretKeeper(secrets: KeptSecrets): SyntheticKernel {
  const kernel = machine({ more: { types } });
  keepDisk(kernel, secrets);
  keepConnection(kernel, secrets);
  return kernel;
}

function keepDisk(kernel: SyntheticKernel, { disk: key, contexts }: KeptSecrets): void {
  const config = kernel.allocate('struct crypt_config');
  kernel.set(config, 'key_size', key.length);
  kernel.space.write(config.member('key').address, key);
  kernel.set(config, 'tfms_count', 1);
  const tfms = kernel.reserve(8);
  kernel.space.words(tfms, cipher(kernel, 'struct crypto_skcipher', contexts.disk).address);
  kernel.set(config, 'cipher_tfm.tfms', tfms);

  // of two targets the second is encrypted
  const targets = kernel.reserve(2 * sizeOf(kernel.type('struct dm_target')));
  const table = kernel.allocate('struct dm_table');
  kernel.set(table, 'num_targets', 2);
  kernel.set(table, 'targets', targets);
  const target = (i: number): KernelObject => table.member('targets').index(i);
  for (const [i, name] of ['linear', 'crypt'].entries()) {
    const type = kernel.allocate('struct target_type');
    kernel.set(type, 'name', text(kernel, name));
    kernel.set(target(i), 'type', type);
  }
  kernel.set(target(1), 'private', config);
  const device = kernel.allocate('struct mapped_device');
  kernel.set(device, 'map', table);

  const owner = kernel.allocate('struct subsys_private');
  kernel.set(kernel.allocate('struct class', 'block_class'), 'p', owner);
  const nodes = [
    ['vda', 0n],
    ['dm-0', device.address],
  ] as const;
  kernel.link(
    owner.member('klist_devices.k_list').address,
    ...nodes.map(([name, own]) => {
      const gendisk = kernel.allocate('struct gendisk');
      kernel.set(gendisk, 'disk_name', name);
      kernel.set(gendisk, 'private_data', own);
      const block = kernel.allocate('struct block_device');
      kernel.set(block, 'bd_disk', gendisk);
      const entry = kernel.allocate('struct device_private');
      kernel.set(entry, 'device', block.member('bd_device'));
      return entry.member('knode_class.n_node').address;
    }),
  );
}

function keepConnection(kernel: SyntheticKernel, { sent, received, contexts }: KeptSecrets): void {
  const net = kernel.allocate('struct net', 'init_net');
  kernel.link(kernel.allocate('struct list_head', 'net_namespace_list').address, net.member('list').address);
  const info = kernel.allocate('struct inet_hashinfo', 'tcp_hashinfo');
  const [established, listening] = [kernel.reserve(16), kernel.reserve(16)];
  // the end of a chain of nulls is odd
  kernel.space.words(established, 1n, 3n);
  kernel.space.words(listening + 8n, 1n);
  kernel.set(info, 'ehash', established);
  kernel.set(info, 'ehash_mask', 1);
  kernel.set(info, 'lhash2', listening);

  const context = kernel.allocate('struct tls_context');
  for (const [member, key] of [
    ['crypto_send', sent],
    ['crypto_recv', received],
  ] as const) {
    kernel.set(context, `${member}.info.cipher_type`, aesGcm256);
    kernel.space.write(context.member(`${member}.aes_gcm_256.key`).address, key);
  }
  const [tx, rx] = [kernel.allocate('struct tls_sw_context_tx'), kernel.allocate('struct tls_sw_context_rx')];
  kernel.set(tx, 'aead_send', cipher(kernel, 'struct crypto_aead', contexts.sent));
  kernel.set(rx, 'aead_recv', cipher(kernel, 'struct crypto_aead', contexts.received));
  kernel.set(context, 'priv_ctx_tx', tx);
  kernel.set(context, 'priv_ctx_rx', rx);

  const ops = kernel.allocate('struct tcp_ulp_ops');
  kernel.set(ops, 'name', 'tls');
  const socket = kernel.allocate('struct tcp_sock');
  kernel.set(socket, 'inet_conn.icsk_ulp_ops', ops);
  kernel.set(socket, 'inet_conn.icsk_ulp_data', context);
  const sock = kernel.object('struct sock', socket.address);
  kernel.set(sock, '__sk_common.skc_family', 2);
  kernel.set(sock, '__sk_common.skc_state', 1);
  kernel.set(sock, '__sk_common.skc_net.net', net);
  kernel.set(sock, 'sk_protocol', 6);
  const node = sock.member('__sk_common.skc_node').address;
  kernel.space.words(node, 1n);
  kernel.space.words(established, node);
}

/** A cipher with what it made of its key. */
function cipher(kernel: SyntheticKernel, type: string, context: Uint8Array): KernelObject {
  const algorithm = kernel.allocate('struct crypto_alg');
  kernel.set(algorithm, 'cra_ctxsize', context.length);
  const tfm = kernel.allocate(type);
  kernel.set(tfm, 'base.__crt_alg', algorithm);
  kernel.space.write(tfm.member('base.__crt_ctx').address, context);
  return tfm;
}

function text(kernel: SyntheticKernel, value: string): bigint {
  const at = kernel.reserve(value.length + 1);
  kernel.space.write(at, Buffer.from(`${value}\0`));
  return at;
}
