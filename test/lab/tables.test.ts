// The tables that people add lines to: kernels, scenarios, formats.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { formatNamed, formats } from '../../lab/formats.ts';
import { kernelNamed, kernels, newestRelease } from '../../lab/kernels.ts';
import { small, usual } from '../../lab/matrix.ts';
import { modules } from '../../lab/module_build.ts';
import { misfit, runName } from '../../lab/run.ts';
import { scenarioNamed, scenarios } from '../../lab/scenarios/index.ts';

const lab = new URL('../../lab/', import.meta.url);

describe('kernels', () => {
  it('takes the newest release by number, of this flavour only', () => {
    const names = [
      'linux-image-6.1.0-9-cloud-amd64',
      'linux-image-6.1.0-10-cloud-amd64',
      'linux-image-6.1.0-11-cloud-amd64-dbg',
      'linux-image-6.1.0-12-amd64',
      'linux-image-6.1.0-13-rt-amd64',
    ];
    assert.equal(newestRelease(kernelNamed('6.1'), names), '6.1.0-10-cloud-amd64');
    assert.equal(newestRelease(kernelNamed('6.1-generic'), names), '6.1.0-12-amd64');
    assert.equal(newestRelease(kernelNamed('6.1-rt'), names), '6.1.0-13-rt-amd64');
    assert.equal(newestRelease(kernelNamed('6.12'), names), undefined);
  });

  it('has each name once, and says which there are', () => {
    assert.equal(new Set(kernels.map((kernel) => kernel.name)).size, kernels.length);
    assert.throws(() => kernelNamed('2.4'), /no kernel 2\.4; there are .*6\.12/);
  });
});

describe('scenarios', () => {
  it('has each file of scenarios/ in its list', () => {
    const files = readdirSync(new URL('scenarios/', lab)).filter((file) => file.endsWith('.ts') && file !== 'index.ts');
    const index = readFileSync(new URL('scenarios/index.ts', lab), 'utf8');
    assert.deepEqual(
      files.filter((file) => !index.includes(`'./${file}'`)),
      [],
    );
    const names = scenarios.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, 'two scenarios of one name');
  });

  it('asks the modules only for what they can do', () => {
    const perish = readFileSync(new URL('module/perish.c', lab), 'utf8');
    const wreck = readFileSync(new URL('module/wreck.c', lab), 'utf8');
    for (const scenario of scenarios) {
      const shell = `${scenario.setup ?? ''}${scenario.provoke}`;
      const asked = [...shell.matchAll(/echo (\w+) > \/proc\/(perish|wreck)/g)];
      const inserted = [...shell.matchAll(/insmod \/lib\/modules\/(\w+)\.ko/g)].map((match) => match[1] ?? '');
      for (const name of inserted)
        assert.ok((modules as readonly string[]).includes(name), `${scenario.name}: ${name}`);
      for (const [, way = '', module] of asked) {
        const listed = module === 'perish' ? perish.includes(`{ "${way}", way_${way} }`) : wreck.includes(`W(${way})`);
        assert.ok(listed, `${scenario.name} asks for ${way}`);
      }
    }
  });

  it('is sh that ends its lines, since more is appended', () => {
    for (const { name, setup, provoke } of scenarios)
      for (const text of [setup, provoke]) assert.ok(text === undefined || text === '' || text.endsWith('\n'), name);
  });
});

describe('formats', () => {
  it('are each written by the guest or by QEMU, never both', () => {
    for (const format of formats) assert.notEqual(format.capture === undefined, format.qemu === undefined, format.name);
    assert.throws(() => formatNamed('tar'), /no format tar/);
  });
});

describe('runs', () => {
  it('are named after the kernel, the scenario and whatever is unusual', () => {
    const [kernel, scenario] = [kernelNamed('6.12'), scenarioNamed('null')];
    assert.equal(runName(kernel, scenario, {}), '6.12-null');
    assert.equal(
      runName(kernel, scenario, { format: 'lzo', level: 0, raw: true, cpu: 'max,la57=off', cpus: 4, memory: 512 }),
      '6.12-null-lzo-d0-raw-max-la57-off-4cpus-512M',
    );
  });

  it('that cannot be are told before anything is fetched', () => {
    const why = (kernel: string, scenario: string) => misfit(kernelNamed(kernel), scenarioNamed(scenario));
    assert.match(why('6.1', 'zswap') ?? '', /cloud/);
    assert.equal(why('6.1-generic', 'zswap'), undefined);
    assert.match(why('6.12-rt', 'spinlock') ?? '', /PREEMPT_RT/);
    assert.match(why('6.12-arm64', 'div') ?? '', /x86_64/);
    assert.deepEqual(
      [why('6.12', 'spinlock'), why('6.12-arm64', 'null'), why('6.12-rt', 'null')],
      [undefined, undefined, undefined],
    );
  });

  it('of the matrices exist', () => {
    for (const { kernels: names, scenarios: ways } of [usual, small]) {
      names.forEach(kernelNamed);
      ways.forEach(scenarioNamed);
    }
    assert.deepEqual([small.kernels.length, small.scenarios.length], [2, 3]);
  });
});
