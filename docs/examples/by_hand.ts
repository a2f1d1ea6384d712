// A list and a hash table, walked by hand:
//   node by_hand.ts vmcore
import { hlistEntries, InquestError, listEntries, openDump } from 'inquest';

const kernel = openDump(process.argv[2] ?? 'vmcore');

// list_for_each_entry(sb, &super_blocks, s_list)
for (const sb of listEntries(kernel.at('super_blocks'), 'struct super_block', 's_list')) {
  console.log(`${sb.member('s_type').member('name').string()} ${sb.member('s_id').string()}`);
}

// every inode that is hashed: static struct hlist_head *inode_hashtable, 1 << (32 - i_hash_shift) buckets of them
const table = kernel.at('inode_hashtable').cast('struct hlist_head *');
const buckets = 2 ** (32 - kernel.at('i_hash_shift').cast('unsigned int').number());
const counts = new Map<string, number>();
let unreadable = 0;
for (let i = 0; i < buckets; i++) {
  try {
    for (const inode of hlistEntries(table.index(i), 'struct inode', 'i_hash')) {
      const type = inode.member('i_sb').member('s_type').member('name').string();
      counts.set(type, (counts.get(type) ?? 0) + 1);
    }
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    unreadable++;
  }
}
console.log(`inodes of ${[...counts].map(([type, count]) => `${type}: ${count}`).join(', ')}`);
console.log(`${buckets} buckets, ${unreadable} of them cannot be read to their end`);

// values print as C, and compare
const first = kernel.at('init_task.tasks.next');
console.log(
  `${kernel.at('init_task.comm')} ${first} ${first.equals(kernel.at('&init_task.tasks')) ? 'alone' : 'not alone'}`,
);
kernel.close();
