// What `list` and `tree` share: what of each entry they show.
import type { VirtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { ValueReading } from '../../debuginfo/c_value.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { CommandContext } from '../context.ts';
import { type Options, repeated, values } from '../params.ts';
import { type StructSpec, structSpec } from './struct_spec.ts';
import { type StructValue, structText, structValue } from './struct_value.ts';

/** `-s` and `-S`. */
export const structParams = {
  shown: repeated('s', 'struct', values.type, 'shows each as a struct, or struct.member,... some members of it'),
  plain: repeated('S', 'struct', values.type, 'the same with plain numbers and strings'),
};

/** One `-s` or `-S`. */
export interface ShownStruct {
  readonly spec: StructSpec;
  readonly plain: boolean;
}

/** What was asked for with `structParams`, in that order. @throws as `structSpec` */
export function shownStructs(context: CommandContext, options: Options<typeof structParams>): ShownStruct[] {
  return [
    ...options.shown.map((one) => ({ ...one, plain: false })),
    ...options.plain.map((one) => ({ ...one, plain: true })),
  ]
    .sort((a, b) => a.at - b.at)
    .map(({ value, plain }) => ({ spec: structSpec(context, value, 'any'), plain }));
}

/** The structs at an address; null for one of which nothing can be read, a fault. */
export function readStructs(
  kernel: Kernel,
  shown: readonly ShownStruct[],
  address: VirtAddr,
  reading: ValueReading,
): (StructValue | null)[] {
  return shown.map(({ spec, plain }) => {
    try {
      return structValue(kernel.object(spec.type, address), spec, plain ? 'plain' : 'values', reading);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return null; // (reading has recorded it)
    }
  });
}

export function structTexts(structs: readonly (StructValue | null)[] | null, radix: 10 | 16): string {
  return (structs ?? []).map((struct) => (struct === null ? '' : structText(struct, radix))).join('');
}
