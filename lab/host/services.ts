// What takes dumps outside of the machine that dies: an SSH server, an HTTPS server of resumable uploads, an NFS server, and
// virtiofs, all on this one. The machine reaches them at 10.0.2.2 (QEMU's user network).
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { projectFolder, say } from '../place.ts';
import { programPath, runProgram } from '../programs.ts';

export const hostAddress = '10.0.2.2';

export interface Service {
  readonly name: 'ssh' | 'https' | 'nfs' | 'virtiofs';
  /** Where dumps arrive. */
  readonly folder: string;
  /** Its `[[target]]` in kdump.toml. */
  readonly target: string;
  /** Files that the machine needs for it, by their place there. */
  readonly files: ReadonlyMap<string, string>;
  /** What QEMU needs for it. */
  readonly qemu: readonly string[];
  stop(): void;
}

/** All that this machine has programs for; the others are told. */
export async function startServices(folder: string, memory: number): Promise<readonly Service[]> {
  const all = await Promise.all([
    startSsh(folder),
    startHttps(folder),
    startNfs(folder),
    startVirtiofs(folder, memory),
  ]);
  return all.filter((service) => service !== null);
}

function made(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

function lacks(name: string, program: string): null {
  say(`no ${program} here: ${name} is not tried`);
  return null;
}

function daemon(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { stdio: 'ignore' });
}

const port = { ssh: 21022, nfs: 21049 } as const;

/** A server of its own, with one key that may log in. */
function startSsh(place: string): Service | null {
  const sshd = programPath('sshd');
  if (sshd === undefined || process.getuid?.() !== 0) return lacks('ssh', 'sshd, as root,');
  const folder = made(join(place, 'ssh'));
  for (const name of ['host_key', 'client_key'])
    if (!existsSync(join(folder, name)))
      runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', join(folder, name)]);
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'client_key.pub')));
  made('/run/sshd');
  const config = [
    `Port ${port.ssh}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host_key')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'PasswordAuthentication no',
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    '',
  ].join('\n');
  writeFileSync(join(folder, 'config'), config);
  const child = daemon(sshd, ['-D', '-f', join(folder, 'config')]);
  const [kind, key] = readFileSync(join(folder, 'host_key.pub'), 'utf8').split(' ');
  const dumps = made(join(folder, 'dumps'));
  return {
    name: 'ssh',
    folder: dumps,
    target: `type = "ssh"\nhost = "root@${hostAddress}"\nport = ${port.ssh}\nkey = "/etc/inquest/kdump_id"\nknown-hosts = "/etc/inquest/kdump_known_hosts"\npath = "${dumps}"`,
    files: new Map([
      ['/etc/inquest/kdump_id', readFileSync(join(folder, 'client_key'), 'utf8')],
      ['/etc/inquest/kdump_known_hosts', `[${hostAddress}]:${port.ssh} ${kind} ${key}\n`],
    ]),
    qemu: [],
    stop: () => void child.kill(),
  };
}

/** tus 1.0.0, as much of it as uploads of one file need; writes what comes. */
async function startHttps(place: string): Promise<Service> {
  const folder = made(join(place, 'https'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  if (!existsSync(certificate))
    runProgram('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'],
      ...['-subj', '/CN=lab', '-addext', `subjectAltName=IP:${hostAddress}`, '-keyout', key, '-out', certificate],
    ]);
  const dumps = made(join(folder, 'dumps'));
  const token = randomBytes(16).toString('hex');
  const uploads: { readonly path: string; size: number }[] = [];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
    const { method, headers } = request;
    request.on('error', () => undefined); // the machine went away
    if (headers.authorization !== `Bearer ${token}`) return void response.writeHead(401).end();
    const upload = uploads[Number(request.url?.split('/').at(-1))];
    if (method === 'POST') {
      const name = Buffer.from(String(headers['upload-metadata']).split(' ')[1] ?? '', 'base64').toString();
      const path = join(dumps, name.replaceAll('..', '_'));
      made(dirname(path));
      writeFileSync(path, '');
      uploads.push({ path, size: 0 });
      request.resume();
      response.writeHead(201, { location: `/files/${uploads.length - 1}` }).end();
    } else if (upload === undefined) response.writeHead(404).end();
    else if (method === 'HEAD') response.writeHead(200, { 'upload-offset': String(upload.size) }).end();
    else {
      truncateSync(upload.path, upload.size);
      const fd = openSync(upload.path, 'r+');
      request.on('data', (chunk: Buffer) => {
        upload.size += writeSync(fd, chunk, 0, chunk.length, upload.size);
      });
      request.on('close', () => closeSync(fd));
      request.on('end', () => response.writeHead(204, { 'upload-offset': String(upload.size) }).end());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    name: 'https',
    folder: dumps,
    target: `type = "https"\nurl = "https://${hostAddress}:${(server.address() as AddressInfo).port}/files"\ntoken-file = "/etc/inquest/kdump_token"\nca-file = "/etc/inquest/kdump_ca.pem"`,
    files: new Map([
      ['/etc/inquest/kdump_token', `${token}\n`],
      ['/etc/inquest/kdump_ca.pem', readFileSync(certificate, 'utf8')],
    ]),
    qemu: [],
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** NFS 4 in user space. */
function startNfs(place: string): Service | null {
  const ganesha = programPath('ganesha.nfsd');
  if (ganesha === undefined || process.getuid?.() !== 0) return lacks('nfs', 'ganesha.nfsd (nfs-ganesha), as root,');
  const folder = made(join(place, 'nfs'));
  const dumps = made(join(folder, 'dumps'));
  made('/var/run/ganesha');
  const config = `NFS_CORE_PARAM { Protocols = 4; NFS_Port = ${port.nfs}; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; }
NFSV4 { Graceless = true; RecoveryRoot = "${made(join(folder, 'state'))}"; }
EXPORT { Export_Id = 1; Path = "${dumps}"; Pseudo = "/dumps"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; FSAL { Name = VFS; } }
`;
  writeFileSync(join(folder, 'config'), config);
  const child = daemon(ganesha, [
    '-F',
    '-f',
    join(folder, 'config'),
    '-L',
    join(folder, 'log'),
    '-p',
    join(folder, 'pid'),
  ]);
  return {
    name: 'nfs',
    folder: dumps,
    target: `type = "nfs"\nsource = "${hostAddress}:/dumps"\noptions = "vers=4.2,port=${port.nfs},soft,timeo=100,retrans=2"\npath = "/"`,
    files: new Map(),
    qemu: [],
    stop: () => void child.kill('SIGKILL'),
  };
}

function startVirtiofs(place: string, memory: number): Service | null {
  const program = ['/usr/libexec/virtiofsd', '/usr/lib/qemu/virtiofsd'].find((path) => existsSync(path));
  if (program === undefined || process.getuid?.() !== 0) return lacks('virtiofs', 'virtiofsd, as root,');
  const folder = made(join(place, 'virtiofs'));
  const dumps = made(join(folder, 'dumps'));
  const socket = join(folder, 'socket');
  // the one of Rust has other options than the older one that came with QEMU
  const share = program.startsWith('/usr/libexec')
    ? ['--shared-dir', dumps, '--sandbox=none']
    : ['-o', `source=${dumps}`, '-o', 'sandbox=chroot'];
  const child = daemon(program, [`--socket-path=${socket}`, ...share]);
  return {
    name: 'virtiofs',
    folder: dumps,
    target: 'type = "virtiofs"\ntag = "dumps"\npath = "/"',
    files: new Map(),
    qemu: [
      ...['-object', `memory-backend-memfd,id=memory,size=${memory}M,share=on`, '-machine', 'memory-backend=memory'],
      ...['-chardev', `socket,id=virtiofs,path=${socket}`, '-device', 'vhost-user-fs-pci,chardev=virtiofs,tag=dumps'],
    ],
    stop: () => void child.kill(),
  };
}

/** What a target outside does not have, and dumps there that cannot be read. */
export function lackingAt(name: Service['name'], folder: string): readonly string[] {
  const isStream = name === 'ssh' || name === 'https';
  const [crashFolder] = globSync('*', { cwd: folder });
  if (crashFolder === undefined) return [`${name}: nothing arrived`];
  const at = join(folder, crashFolder);
  const dumps = ['vmcore.mini', 'vmcore'].map((file) => `${file}${isStream ? '.flat' : ''}`);
  const missing = ['verdict.txt', 'verdict.json', 'vmcore-dmesg.txt', 'capture.log', ...dumps].filter(
    (file) => !existsSync(join(at, file)) || statSync(join(at, file)).size === 0,
  );
  const unread = dumps
    .filter((file) => !missing.includes(file))
    .flatMap((file) => {
      try {
        runProgram(process.execPath, [join(projectFolder, 'dist/inquest.js'), 'verify', join(at, file)]);
        return [];
      } catch (error) {
        return [`${name}: ${file}: ${error instanceof Error ? error.message : error}`];
      }
    });
  process.stdout.write(
    `${name}: ${globSync('*', { cwd: at })
      .sort()
      .map((file) => `${file} ${statSync(join(at, file)).size}`)
      .join(', ')}\n`,
  );
  return [...missing.map((file) => `${name}: no ${file}`), ...unread];
}
