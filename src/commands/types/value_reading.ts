// How the commands of a session read C values: pointers with their symbols, and what cannot be read as faults.
import type { AddressSpace } from '../../arch/address_space.ts';
import type { VirtAddr } from '../../base/address.ts';
import type { ValueReading } from '../../debuginfo/c_value.ts';
import type { ObjectContext } from '../../debuginfo/object.ts';
import { formatPlace } from '../../debuginfo/symbol_table.ts';
import type { CommandContext } from '../context.ts';
import { isNameless } from '../place_name.ts';

export function valueReading(context: CommandContext): ValueReading {
  const { kernel } = context;
  return {
    // 0 is no limit, as gdb has it
    shown: Number(context.variables.get('print_max')) || Number.POSITIVE_INFINITY,
    isTall: context.variables.get('print_array') === 'on',
    symbolize: (address, isText) => symbolize(context, address, isText),
    onFault: (fault) => kernel.faults.record('value', fault),
  };
}

/**
 * `schedule+4`, or null for an address that is no place in the kernel's or a module's image.
 * @param isText the address is of characters: among constants, those behind a symbol's start are a literal's, which has none
 */
export function symbolize(context: CommandContext, address: VirtAddr, isText = false): string | null {
  const place = context.kernel.place(address);
  return place === null || isNameless(context.kernel.symbols, place, isText) ? null : formatPlace(place);
}

/** Typed objects in another address space than the kernel's. */
export function objectsIn(context: CommandContext, space: AddressSpace): ObjectContext {
  return { space, types: context.kernel.types };
}
