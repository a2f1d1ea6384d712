import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAssignments, parseDirectives, type Remark } from '../../src/host/config/assignments.ts';
import { type CaptureConfig, defaultConfig, type Target } from '../../src/host/config/capture_config.ts';
import type { Configuration } from '../../src/host/config/distribution.ts';
import { parseConfig, readInquestConfig, writeConfig } from '../../src/host/config/inquest_config.ts';
import { readKdumpUtils } from '../../src/host/config/kdump_conf.ts';
import { readKdumpTools } from '../../src/host/config/kdump_tools.ts';
import { readSuse } from '../../src/host/config/suse.ts';
import { hostTree } from '../support/host_tree.ts';

/** `LINE: TEXT` of each remark of a severity. */
function texts(remarks: readonly Remark[], severity: Remark['severity']): readonly string[] {
  return remarks.filter((one) => one.severity === severity).map(({ line, text }) => `${line}: ${text}`);
}

function redHat(conf: string, sysconfig = ''): Configuration {
  return readKdumpUtils(hostTree({ '/etc/kdump.conf': conf, '/etc/sysconfig/kdump': sysconfig }))!;
}
function debian(text: string): Configuration {
  return readKdumpTools(hostTree({ '/etc/default/kdump-tools': text }))!;
}
function suse(text: string): Configuration {
  return readSuse(hostTree({ '/etc/sysconfig/kdump': text }))!;
}

test('assignments: quotes, escapes and continued lines as a shell takes them', () => {
  const { settings, remarks } = parseAssignments(
    '# x\nA=1\nexport B="two words" # why\nC=\'a"b\'\nD="x\ny"\nE=a\\ b"c"\n\nF=\n',
  );
  assert.deepEqual(
    settings.map(({ name, value, line }) => [name, value, line]),
    [
      ['A', '1', 2],
      ['B', 'two words', 3],
      ['C', 'a"b', 4],
      ['D', 'x\ny', 5],
      ['E', 'a bc', 7],
      ['F', '', 9],
    ],
  );
  assert.deepEqual(remarks, []);
});

test('assignments: what a shell would not take, or would run, is remarked with its line', () => {
  const { remarks } = parseAssignments('A = 1\nif true\nB="open\nC=$(id)\nD=a b\n');
  assert.deepEqual(texts(remarks, 'error'), [
    '1: a shell takes no spaces around =: A = 1',
    '2: not an assignment NAME=value: if true',
    '3: B: a quote is opened and not closed',
    '5: D: what follows the value is a command to the shell: b',
  ]);
  assert.deepEqual(texts(remarks, 'warning'), ['4: C: its value is made by the shell, and is not looked at here']);
});

test('assignments and directives: no text makes them fail, and every setting has its line', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\\', '\n', '#', ' ', '$', '`') }), (text) => {
      const lines = text.split('\n').length;
      for (const { line } of [...parseAssignments(text).settings, ...parseDirectives(text).settings])
        assert.ok(line >= 1 && line <= lines);
    }),
  );
});

test("Fedora's: unknown, repeated, removed and contradictory settings, with their lines", () => {
  const { files } = redHat(
    [
      'ext4 UUID=1 # a comment',
      'path "/dumps"',
      'path /other',
      'net backup:/x',
      'xfs LABEL=two',
      'final_action explode',
      'default shell',
      'failure_action reboot',
      'force_rebuild 1',
      'force_no_rebuild 1',
      'sshkey /root/key',
    ].join('\n'),
  );
  assert.deepEqual(texts(files[0]!.remarks, 'error'), [
    '3: path is set a second time, after line 2',
    '4: net was removed: nfs or ssh say what is meant',
    '6: final_action is reboot, halt or poweroff, not explode',
    '5: xfs is a second target, after ext4 on line 1: there may be one',
    '10: force_rebuild and force_no_rebuild exclude each other',
    '7: default and failure_action say the same thing twice',
  ]);
  assert.deepEqual(texts(files[0]!.remarks, 'warning'), [
    '7: default is deprecated: failure_action says the same',
    '11: sshkey has no effect without ssh',
  ]);
});

test("Fedora's: a stream needs -F, a file does not", () => {
  const errors = (conf: string): readonly string[] => texts(redHat(conf).files[0]!.remarks, 'error');
  assert.match(errors('ssh a@b\ncore_collector makedumpfile -l -d 31')[0]!, /^2: core_collector needs -F/);
  assert.deepEqual(errors('ssh a@b\ncore_collector makedumpfile -F -l -d 31'), []);
  assert.deepEqual(errors('ssh a@b\ncore_collector scp'), []);
});

test("Fedora's sysconfig: crashkernel= for the capture kernel takes away its memory", () => {
  const { files } = redHat(
    'path /var/crash',
    'KDUMP_COMMANDLINE_APPEND="irqpoll crashkernel=1G nr_cpus=64"\nKDUMP_WHAT=1\n',
  );
  assert.deepEqual(texts(files[1]!.remarks, 'error'), [
    '2: KDUMP_WHAT is no setting of this file',
    "1: crashkernel= on the capture kernel's command line takes away its memory",
  ]);
  assert.deepEqual(texts(files[1]!.remarks, 'warning'), [
    '1: nr_cpus=64: each processor takes memory of the reservation',
  ]);
});

test("Debian's: as the package brings it, nothing is wrong; broken, everything is found", () => {
  assert.deepEqual(
    debian('USE_KDUMP=1\n#KDUMP_SYSCTL="kernel.panic_on_oops=1"\nMAKEDUMP_ARGS="-c -d 31"\n').files[0]!.remarks,
    [],
  );
  const { files, isOn } = debian(
    'USE_KDUMP=0\nSSH="a@b"\nNFS="c:/d"\nFTP_PORT=22\nKDUMP_COMPRESSION=zip\nMAKEDUMP_ARGS="-E -d 31"\nUSE_KDMP=1\n',
  );
  assert.equal(isOn, false);
  assert.deepEqual(texts(files[0]!.remarks, 'error'), [
    '5: KDUMP_COMPRESSION is bzip2, gzip, lz4 or xz, not zip',
    '7: USE_KDMP is no setting of this file; perhaps USE_KDUMP',
    '3: NFS has no effect beside SSH: one remote target is used',
    '6: MAKEDUMP_ARGS has -E, which does not go with the flattened form that is always written',
    '1: USE_KDUMP is not 1: no capture kernel is loaded',
  ]);
});

test("SUSE's: URLs, deprecated settings, and settings without effect", () => {
  const { files } = suse(
    'KDUMP_SAVEDIR="file:///var/crash"\nKDUMP_HOST_KEY="*"\nKDUMPTOOL_FLAGS=""\nKDUMP_DUMPLEVEL=32\nKDUMP_NETCONFIG="eth0:dhcp:now"\n',
  );
  assert.deepEqual(texts(files[0]!.remarks, 'error'), [
    '4: KDUMP_DUMPLEVEL is 0 to 31, not 32',
    '5: KDUMP_NETCONFIG is auto, or DEVICE:MODE[:force], not eth0:dhcp:now',
  ]);
  assert.deepEqual(texts(files[0]!.remarks, 'warning'), [
    '3: KDUMPTOOL_FLAGS is deprecated: it has no effect',
    '2: KDUMP_HOST_KEY has no effect without a target by SSH',
  ]);
  assert.equal(
    readSuse(hostTree({ '/etc/sysconfig/kdump': '', '/etc/kdump.conf': '' })),
    null,
    "Fedora's file of the same name",
  );
});

const imports: readonly (readonly [
  what: string,
  from: Configuration,
  expected: Partial<CaptureConfig>,
  without: readonly string[],
])[] = [
  [
    "Fedora's NFS",
    redHat(
      'nfs host:/export\npath /d\ncore_collector makedumpfile -z -d 17\nfailure_action dump_to_rootfs\nfinal_action poweroff\nextra_modules a b\nkdump_pre /x\n',
    ),
    {
      targets: [{ kind: 'nfs', source: 'host:/export', options: null, path: '/d' }],
      compression: 'zstd',
      level: 17,
      failureAction: 'root',
      finalAction: 'poweroff',
      modules: ['a', 'b'],
    },
    ['kdump_pre'],
  ],
  [
    "Fedora's raw partition",
    redHat('raw /dev/vdb1\n'),
    { targets: [{ kind: 'raw', device: '/dev/vdb1' }], compression: 'lzo' },
    [],
  ],
  [
    "Debian's SSH",
    debian('USE_KDUMP=1\nSSH="kdump@host"\nSSH_KEY=/k\nKDUMP_NUM_DUMPS=3\nFTP=old\n'),
    {
      targets: [
        {
          kind: 'ssh',
          host: 'kdump@host',
          port: null,
          key: '/k',
          knownHosts: '/root/.ssh/known_hosts',
          path: '/var/crash',
        },
      ],
      compression: 'zlib',
      retention: { number: 3, days: null, size: null },
    },
    ['FTP'],
  ],
  [
    "SUSE's NFS",
    suse(
      'KDUMP_SAVEDIR="nfs://host/export/d"\nKDUMP_KEEP_OLD_DUMPS=4\nKDUMP_DUMPFORMAT=lzo\nKDUMP_DUMPLEVEL=0\nKDUMP_POSTSCRIPT=/p\nKDUMP_CRASHKERNEL=auto\n',
    ),
    {
      targets: [{ kind: 'nfs', source: 'host:/export/d', options: null, path: '/' }],
      compression: 'lzo',
      level: 0,
      retention: { number: 5, days: null, size: null },
      crashkernel: null,
    },
    ['KDUMP_POSTSCRIPT'],
  ],
  ["SUSE's Windows share", suse('KDUMP_SAVEDIR="cifs://host/share"\n'), { targets: [] }, ['KDUMP_SAVEDIR']],
];
for (const [what, { config, without }, expected, named] of imports) {
  test(`import of ${what}`, () => {
    for (const [key, value] of Object.entries(expected))
      assert.deepEqual(config[key as keyof CaptureConfig], value, key);
    assert.deepEqual(
      without.map(({ text }) => text.split(':')[0]),
      named,
    );
  });
}

const path = fc.stringMatching(/^\/[\w.-]{0,12}$/);
const target: fc.Arbitrary<Target> = fc.oneof(
  fc.record({
    kind: fc.constant('directory' as const),
    device: fc.constantFrom(null, 'UUID=12', '/dev/vdb'),
    fstype: fc.constantFrom(null, 'xfs'),
    path,
  }),
  fc.record({ kind: fc.constant('raw' as const), device: fc.constantFrom('/dev/vdb', 'PARTUUID=9') }),
  fc.record({
    kind: fc.constant('nfs' as const),
    source: fc.constant('h:/e'),
    options: fc.constantFrom(null, 'timeo=1'),
    path,
  }),
  fc.record({
    kind: fc.constant('ssh' as const),
    host: fc.constant('u@h'),
    port: fc.constantFrom(null, 22),
    key: path,
    knownHosts: path,
    path,
  }),
  fc.record({
    kind: fc.constant('https' as const),
    url: fc.constant('https://h/u'),
    tokenFile: fc.option(path),
    caFile: fc.option(path),
  }),
  fc.record({ kind: fc.constant('virtiofs' as const), tag: fc.constant('dumps'), path }),
);
const configuration: fc.Arbitrary<CaptureConfig> = fc.record({
  targets: fc.array(target, { minLength: 1, maxLength: 4 }),
  everyTarget: fc.boolean(),
  mini: fc.boolean(),
  full: fc.boolean(),
  level: fc.integer({ min: 0, max: 31 }),
  compression: fc.constantFrom('zstd' as const, 'lzo' as const, 'none' as const),
  limits: fc.record({ verdict: fc.nat(99), mini: fc.nat(99), full: fc.nat(9999), target: fc.nat(99) }),
  finalAction: fc.constantFrom('reboot' as const, 'halt' as const),
  failureAction: fc.constantFrom('shell' as const, 'root' as const),
  netconsole: fc.constantFrom(null, '192.0.2.1:6666'),
  append: fc.constantFrom('', 'quiet "a b" \\'),
  modules: fc.array(fc.stringMatching(/^[a-z_]{1,9}$/), { maxLength: 3 }),
  crashkernel: fc.constantFrom(null, '256M'),
  retention: fc.record({
    number: fc.option(fc.nat(99)),
    days: fc.option(fc.nat(99)),
    size: fc.constantFrom(null, 20 * 1024 ** 3, 5),
  }),
});

test('kdump.toml: what is written is read back, whatever it is', () => {
  fc.assert(
    fc.property(configuration, (made) => {
      const config = JSON.parse(JSON.stringify(made)) as CaptureConfig; // with usual prototypes
      assert.deepEqual(parseConfig(writeConfig(config)), { config, remarks: [] });
    }),
  );
});

test('kdump.toml: what is wrong is remarked with its line, and its default stands', () => {
  const { config, remarks } = parseConfig(
    'level = 40\nmini = "yes"\nfull-dump = true\n[limits]\nverdict = -1\n[[target]]\ntype = "ftp"\n[[target]]\ntype = "ssh"\nhost = "-oProxyCommand=x@y"\nkey = "/k"\nknown-hosts = "/h"\n',
  );
  assert.deepEqual(texts(remarks, 'error'), [
    '7: target 1: type is one of directory, raw, nfs, ssh, https, virtiofs, not "ftp"',
    '7: target 1: type is missing',
    '10: target 2: host is USER@HOST, not "-oProxyCommand=x@y"',
    '10: target 2: host is missing',
    '2: mini is true or false, not "yes"',
    '1: level is a whole number up to 31, not 40',
    '5: limits.verdict is a whole number up to 86400, not -1',
    '3: full-dump is no setting',
    'null: no [[target]] says where dumps go',
  ]);
  assert.equal(config.level, defaultConfig.level);
});

test('kdump.toml: no text makes it fail', () => {
  const words = fc.constantFrom(
    'level',
    '=',
    '31',
    '[',
    ']',
    '[[target]]',
    '\n',
    '"',
    'type',
    'limits',
    '{',
    '}',
    ' ',
    '.',
  );
  fc.assert(fc.property(fc.array(words), (list) => void parseConfig(list.join(''))));
  assert.match(readInquestConfig(hostTree({ '/etc/inquest/kdump.toml': 'a = \n' }))!.files[0]!.remarks[0]!.text, /\w/);
});
