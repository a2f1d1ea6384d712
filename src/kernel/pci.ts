// include/linux/pci.h: PCI buses and their devices.
//
//   pci_root_buses --> pci_bus { devices --> pci_dev, children --> pci_bus }
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

export interface PciDevice {
  /** Virtual address of the `struct pci_dev`. */
  readonly address: VirtAddr;
  /** Domain, bus, slot and function: `0000:00:01.1`. */
  readonly name: string;
  /** Class and subclass, 16 bits. */
  readonly class: number;
  readonly vendor: number;
  readonly device: number;
  /** PCI_EXP_TYPE_*, of PCI Express devices: 0 for an endpoint, and for devices of plain PCI. */
  readonly type: number;
  /** Name of its driver; null for none. */
  readonly driver: string | null;
}

export interface PciBus {
  /** Virtual address of the `struct pci_bus`. */
  readonly address: VirtAddr;
  /** Null where it cannot be read. */
  readonly name: string | null;
  readonly devices: readonly PciDevice[];
  readonly children: readonly PciBus[];
}

/** Deepest nesting of buses: there are 256 numbers. */
const maxDepth = 256;

/** The root buses, with everything below them. What cannot be read costs itself. */
export function pciBuses(kernel: Kernel): PciBus[] {
  const seen = new Set<bigint>();
  const buses = (head: KernelObject, depth: number): PciBus[] => {
    const found: PciBus[] = [];
    kernel.faults.attempt(
      'PCI buses',
      () => {
        for (const bus of listEntries(head, 'struct pci_bus', 'node')) {
          if (seen.has(bus.address) || depth > maxDepth)
            throw new FormatError('PCI buses', `loop back to ${bus.address.toString(16)}`);
          seen.add(bus.address);
          found.push({
            address: bus.address,
            name: kernel.faults.attempt('PCI bus', () => deviceName(bus.member('dev')), null),
            devices: busDevices(kernel, bus),
            children: kernel.faults.attempt('PCI bus', () => buses(bus.member('children'), depth + 1), []),
          });
        }
      },
      undefined,
    );
    return found;
  };
  const roots = kernel.faults.attempt('PCI buses', () => kernel.variable('pci_root_buses'), null);
  return roots === null ? [] : buses(roots, 0);
}

function busDevices(kernel: Kernel, bus: KernelObject): PciDevice[] {
  const devices: PciDevice[] = [];
  kernel.faults.attempt(
    'PCI devices',
    () => {
      for (const device of listEntries(bus.member('devices'), 'struct pci_dev', 'bus_list')) {
        kernel.faults.attempt('PCI device', () => devices.push(readDevice(kernel, bus, device)), 0);
      }
    },
    undefined,
  );
  return devices;
}

function readDevice(kernel: Kernel, bus: KernelObject, device: KernelObject): PciDevice {
  const driver = device.member('driver');
  return {
    address: device.address,
    name:
      kernel.faults.attempt('name of a PCI device', () => deviceName(device.member('dev')), null) ?? place(bus, device),
    class: device.member('class').number() >>> 8,
    vendor: device.member('vendor').number(),
    device: device.member('device').number(),
    // PCI_EXP_FLAGS_TYPE
    type: ((device.optional('pcie_flags_reg')?.number() ?? 0) >> 4) & 0xf,
    driver: driver.isNull
      ? null
      : kernel.faults.attempt(
          'driver of a PCI device',
          () => driver.memberAmong('name', 'driver.name').string(64),
          null,
        ),
  };
}

/** By its numbers alone, where its name cannot be read: the domain is taken for 0. */
function place(bus: KernelObject, device: KernelObject): string {
  const part = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const slot = device.member('devfn').number();
  return `0000:${part(bus.member('number').number(), 2)}:${part(slot >> 3, 2)}.${slot & 7}`;
}

/** Name of a `struct device`; null where it has none. */
function deviceName(device: KernelObject): string | null {
  const name = device.member('kobj.name');
  return name.isNull ? null : name.string(64);
}
