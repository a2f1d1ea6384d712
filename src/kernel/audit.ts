// kernel/audit.c: audit messages that were still queued for auditd when the kernel died.
import { offsetBy } from '../base/address.ts';
import { AddressSet } from '../base/address_set.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import { logText } from './printk_record.ts';

export interface AuditMessage {
  /** AUDIT_* (include/uapi/linux/audit.h). */
  readonly type: number;
  readonly text: string;
}

/** Most messages of one queue that are read; the kernel's own limit (audit_backlog_limit) is 64 by default. */
const maxMessages = 100_000;
/** struct nlmsghdr (include/uapi/linux/netlink.h): u32 len, u16 type, u16 flags, u32 seq, u32 pid. */
const headerSize = 16;
/** Longest message that is believed, in bytes (MAX_AUDIT_MESSAGE_LENGTH is 8970). */
const maxLength = 64 * 1024;

/** Messages in the audit queues, oldest first. @throws NotFoundError where the kernel has no audit */
export function queuedAuditMessages(kernel: Kernel): AuditMessage[] {
  // audit_skb_queue and audit_skb_hold_queue until 4.11
  const names = ['audit_hold_queue', 'audit_retry_queue', 'audit_queue', 'audit_skb_hold_queue', 'audit_skb_queue'];
  const queues = names.filter((name) => kernel.ownSymbol(name) !== null);
  if (queues.length === 0) throw new NotFoundError('symbol', 'audit_queue', 'built without CONFIG_AUDIT');
  const messages: AuditMessage[] = [];
  for (const name of queues) {
    kernel.faults.attempt(name, () => readQueue(kernel, name, messages), undefined);
  }
  return messages;
}

function readQueue(kernel: Kernel, name: string, messages: AuditMessage[]): void {
  const head = kernel.object('struct sk_buff_head', kernel.address(name));
  let skb = head.member('next');
  const seen = new AddressSet();
  while (skb.pointer() !== head.address && skb.pointer() !== 0n) {
    if (seen.has(skb.pointer()) || seen.size >= maxMessages) throw new FormatError(name, 'loops');
    seen.add(skb.pointer());
    const data = skb.member('data').pointer();
    const length = kernel.space.u32(data);
    if (length < headerSize || length > maxLength)
      throw new FormatError(name, `message length ${length} is out of range`);
    kernel.work.charge('text', length);
    const text = logText(kernel.space.read(offsetBy(data, headerSize), length - headerSize));
    messages.push({ type: kernel.space.u16(offsetBy(data, 4)), text: withoutPadding(text) });
    skb = skb.member('next');
  }
}

/** Text without the NULs behind it. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}
