// Devices: the numbers of drivers, I/O ports and memory, PCI buses.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { blockMajors, characterDevices } from '../../src/kernel/char_dev.ts';
import { resources } from '../../src/kernel/ioport.ts';
import { type PciBus, pciBuses } from '../../src/kernel/pci.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

function words(kernel: SyntheticKernel, content: string): bigint {
  const at = kernel.reserve(content.length + 1);
  kernel.space.write(at, Buffer.from(content));
  return at;
}

describe('numbers of devices', () => {
  const types = `
    struct cdev { void *ops; };
    struct char_device_struct { struct char_device_struct *next; unsigned int major; unsigned int baseminor; char name[64]; struct cdev *cdev; };
    struct probe { struct probe *next; u32 dev; unsigned long range; void *data; };
    struct kobj_map { struct probe *probes[255]; };
    struct blk_major_name { struct blk_major_name *next; int major; char name[16]; };
  `;
  function machine() {
    const kernel = new SyntheticKernel(types);
    const table = (name: string, type: string): KernelObject =>
      kernel.allocate(
        { kind: 'array', element: { kind: 'pointer', size: 8, target: kernel.type(type) }, length: 255 },
        name,
      );
    const chrdevs = table('chrdevs', 'struct char_device_struct');
    const majors = table('major_names', 'struct blk_major_name');
    const map = kernel.allocate('struct kobj_map');
    const pointer = { kind: 'pointer', size: 8, target: kernel.type('struct kobj_map') } as const;
    kernel.define('cdev_map', kernel.reserve(8), 8, pointer);
    kernel.space.words(kernel.address('cdev_map'), map.address);
    const driver = (major: number, minor: number, name: string): KernelObject => {
      const made = kernel.allocate('struct char_device_struct');
      kernel.set(made, 'major', major);
      kernel.set(made, 'baseminor', minor);
      kernel.set(made, 'name', name);
      const slot = chrdevs.index(major % 255);
      kernel.set(made, 'next', slot.bigint());
      kernel.space.words(slot.address, made.address);
      return made;
    };
    return { kernel, chrdevs, majors, map, driver };
  }

  test('a driver with a cdev of its own, one whose cdev is looked up by number, one without', () => {
    const { kernel, map, driver } = machine();
    const cdevs = [1, 2].map((ops) => {
      const cdev = kernel.allocate('struct cdev');
      kernel.set(cdev, 'ops', ops * 0x1000);
      return cdev;
    });
    kernel.set(driver(10, 0, 'misc'), 'cdev', cdevs[0]!);
    driver(252, 0, 'rtc');
    driver(252, 8, 'late');
    const probe = kernel.allocate('struct probe');
    kernel.set(probe, 'dev', 252 * 2 ** 20);
    kernel.set(probe, 'range', 8);
    kernel.set(probe, 'data', cdevs[1]!);
    kernel.set(map, 'probes[252]', probe);
    assert.deepEqual(
      characterDevices(kernel).map(({ major, name, operations }) => [major, name, operations]),
      [
        [10, 'misc', 0x1000n],
        [252, 'late', null],
        [252, 'rtc', 0x2000n],
      ],
    );
  });

  test('a chain that breaks or loops keeps what came before, and is told', () => {
    const { kernel, majors, driver } = machine();
    kernel.space.exclude(driver(4, 64, 'ttyS').address);
    driver(4, 0, 'tty');
    const loop = kernel.allocate('struct blk_major_name');
    kernel.set(loop, 'major', 8);
    kernel.set(loop, 'name', 'sd');
    kernel.set(loop, 'next', loop);
    kernel.space.words(majors.index(8).address, loop.address);
    const { value, faults } = kernel.faults.collect(() => [
      characterDevices(kernel).map(({ name }) => name),
      blockMajors(kernel).map(({ name }) => name),
    ]);
    assert.deepEqual(value, [['tty'], ['sd']]);
    assert.deepEqual(new Set(faults.map(({ code }) => code)), new Set(['memory-fault', 'bad-format']));
  });
});

describe('ports and physical addresses', () => {
  const types = `struct resource { u64 start; u64 end; const char *name; struct resource *parent, *sibling, *child; };`;
  test('each before what it holds, then what comes after it; a loop ends', () => {
    const kernel = new SyntheticKernel(types);
    const make = (name: string, start: number, end: number, symbol?: string): KernelObject => {
      const made = kernel.allocate('struct resource', symbol);
      kernel.set(made, 'name', words(kernel, name));
      kernel.set(made, 'start', start);
      kernel.set(made, 'end', end);
      return made;
    };
    const root = make('PCI mem', 0, 0xffff, 'iomem_resource');
    const [ram, code, rom] = [make('System RAM', 0, 99), make('Kernel code', 10, 20), make('ROM', 100, 199)];
    kernel.set(root, 'child', ram!);
    kernel.set(ram!, 'child', code!);
    kernel.set(ram!, 'sibling', rom!);
    kernel.set(rom!, 'sibling', ram!);
    const { value, faults } = kernel.faults.collect(() => [...resources(kernel, 'iomem_resource')]);
    assert.deepEqual(
      value.map(({ name, depth, end }) => [name, depth, end]),
      [
        ['PCI mem', 0, 0xffffn],
        ['System RAM', 1, 99n],
        ['Kernel code', 2, 20n],
        ['ROM', 1, 199n],
      ],
    );
    assert.match(faults[0]!.message, /loops back/);
  });
});

describe('PCI', () => {
  const types = `
    struct list_head { struct list_head *next, *prev; };
    struct kobject { const char *name; };
    struct device { struct kobject kobj; };
    struct pci_driver { const char *name; };
    struct pci_bus { struct list_head node; struct list_head children; struct list_head devices; u8 number; struct device dev; };
    struct pci_dev {
      struct list_head bus_list; unsigned int devfn; u16 vendor; u16 device; unsigned int class; u16 pcie_flags_reg;
      struct pci_driver *driver; struct device dev;
    };
  `;
  test('devices of nested buses; a name that cannot be read is made from the numbers', () => {
    const kernel = new SyntheticKernel(types);
    const bus = (name: string, number: number): KernelObject => {
      const made = kernel.allocate('struct pci_bus');
      kernel.set(made, 'dev.kobj.name', words(kernel, name));
      kernel.set(made, 'number', number);
      for (const list of ['children', 'devices']) kernel.link(made.member(list).address);
      return made;
    };
    const [root, child] = [bus('0000:00', 0), bus('0000:01', 1)];
    kernel.link(kernel.allocate('struct list_head', 'pci_root_buses').address, root!.member('node').address);
    kernel.link(root!.member('children').address, child!.member('node').address);
    const device = kernel.allocate('struct pci_dev');
    for (const [member, value] of Object.entries({
      devfn: 0x1b,
      vendor: 0x1af4,
      device: 0x1001,
      class: 0x01_0601,
      pcie_flags_reg: 0x42,
    }))
      kernel.set(device, member, value);
    kernel.set(device, 'dev.kobj.name', 0xdead_0000);
    const driver = kernel.allocate('struct pci_driver');
    kernel.set(driver, 'name', words(kernel, 'virtio-pci'));
    kernel.set(device, 'driver', driver);
    kernel.link(child!.member('devices').address, device.member('bus_list').address);
    const shape = ({ name, devices, children }: PciBus): unknown => [
      name,
      devices.map((one) => [one.name, one.class, one.type, one.driver]),
      children.map(shape),
    ];
    assert.deepEqual(kernel.faults.collect(() => pciBuses(kernel).map(shape)).value, [
      ['0000:00', [], [['0000:01', [['0000:01:03.3', 0x0106, 4, 'virtio-pci']], []]]],
    ]);
  });
});
