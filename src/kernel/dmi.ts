// include/linux/dmi.h: what the firmware told about the machine, as the kernel kept it.
import type { Kernel } from './kernel.ts';

export interface DmiField {
  /** `DMI_SYS_VENDOR`, ...: a name of enum dmi_field. */
  readonly name: string;
  readonly value: string;
}

/** Longest string: one SMBIOS structure's strings. */
const maxString = 256;

/** The fields that the firmware filled in. @throws NotFoundError on kernels without DMI; MemoryFault */
export function readDmi(kernel: Kernel): DmiField[] {
  const ident = kernel.variable('dmi_ident');
  const fields: DmiField[] = [];
  const type = kernel.type('enum dmi_field');
  if (type.kind !== 'enum') return fields;
  for (const { name, value } of type.values) {
    if (name === 'DMI_STRING_MAX') break;
    kernel.faults.attempt(
      name,
      () => {
        const text = ident.index(Number(value));
        if (!text.isNull) fields.push({ name, value: text.string(maxString) });
      },
      undefined,
    );
  }
  return fields;
}
