// Targets of the kernel's netconsole, made, tested and taken away while it runs.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { FormatError, messageOf } from '../../base/errors.ts';
import { attributes, type SenderSettings, targetFolder } from './sender.ts';
import { testMessageText } from './test_message.ts';

/**
 * Makes a target and enables it. A target that cannot be enabled is taken away again.
 * @returns attributes that this kernel does not have
 * @throws FormatError, which says what the kernel refused
 */
export function applyTarget(settings: SenderSettings, name: string, root = '/'): string[] {
  const folder = targetFolder(root, name);
  if (existsSync(folder)) throw new FormatError(folder, 'is there already: --remove it first');
  try {
    mkdirSync(folder, { recursive: false });
  } catch (error) {
    throw new FormatError(
      folder,
      `cannot be made (${(error as NodeJS.ErrnoException).code}): root, configfs and the netconsole module are needed (modprobe netconsole)`,
    );
  }
  const unknown: string[] = [];
  for (const [attribute, value] of attributes(settings)) {
    const path = join(folder, attribute);
    // extended since e2f15f9a7920 (4.2), release since c62c0a17f9b7 (6.6)
    if (!existsSync(path) && existsSync(join(folder, 'enabled'))) {
      unknown.push(attribute);
      continue;
    }
    try {
      writeFileSync(path, value);
    } catch (error) {
      removeTarget(name, root);
      throw new FormatError(
        path,
        `the kernel does not take ${value} (${(error as NodeJS.ErrnoException).code}); its log says why`,
      );
    }
  }
  return unknown;
}

/** @throws FormatError if there is none, or the kernel keeps it */
export function removeTarget(name: string, root = '/'): void {
  const folder = targetFolder(root, name);
  if (!existsSync(folder)) throw new FormatError(folder, 'no such target');
  try {
    writeFileSync(join(folder, 'enabled'), '0');
  } catch {
    // disabled already, which is an error to the kernel
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    throw new FormatError(folder, `cannot be taken away (${messageOf(error)})`);
  }
}

/** How long an answer is waited for, in ms. */
const patience = 3000;

/**
 * Has the kernel print a marked message, which `inquest listen` answers.
 * @param say prints a message as the kernel's: a line to /dev/kmsg
 * @returns whether the answer came
 */
export async function testTarget(localAddress: string, say: (text: string) => void): Promise<boolean> {
  const mark = randomBytes(8).toString('hex');
  const socket = createSocket(isIPv6(localAddress) ? 'udp6' : 'udp4');
  try {
    socket.bind(0, localAddress);
    await once(socket, 'listening');
    const answered = new Promise<boolean>((done) => {
      socket.on('message', (bytes) => {
        if (bytes.toString('latin1') === mark) done(true);
      });
      setTimeout(() => done(false), patience).unref();
    });
    say(testMessageText({ mark, port: socket.address().port }));
    return await answered;
  } finally {
    socket.close();
  }
}
