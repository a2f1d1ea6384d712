// kernel/configs.c: the kernel's own configuration, gzipped, where it was built with CONFIG_IKCONFIG.
import { gunzipSync } from 'node:zlib';
import { FormatError, messageOf, NotFoundError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';

/** Largest configuration that is believed, in bytes, packed and unpacked. */
const maxPacked = 4 * 1024 * 1024;
const maxText = 32 * 1024 * 1024;

/** Text of the configuration file (`CONFIG_...` lines). @throws NotFoundError where it was not built in; MemoryFault, FormatError */
export function kernelConfig(kernel: Kernel): string {
  const symbol = kernel.ownSymbol('kernel_config_data');
  if (symbol === null) throw new NotFoundError('symbol', 'kernel_config_data', 'built without CONFIG_IKCONFIG');
  const end = kernel.ownSymbol('kernel_config_data_end'); // since 13610aa908dc (5.1)
  const size = end === null ? symbol.size : Number(end.address - symbol.address);
  if (size < 18 || size > maxPacked) throw new FormatError('kernel_config_data', `size ${size} is out of range`);
  const bytes = kernel.space.read(symbol.address, size);
  // before 5.1 the data stands between the marks IKCFG_ST and IKCFG_ED
  const start = Buffer.from(bytes.buffer, 0, 8).toString('latin1') === 'IKCFG_ST' ? 8 : 0;
  try {
    return gunzipSync(bytes.subarray(start), { maxOutputLength: maxText }).toString('utf8');
  } catch (error) {
    throw new FormatError('kernel_config_data', messageOf(error));
  }
}
