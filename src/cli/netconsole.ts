// `inquest netconsole`: the sending machine's side, worked out, shown, set up, tested and taken away.
import { writeFileSync } from 'node:fs';
import { FormatError, UsageError } from '../base/errors.ts';
import { escapeJson, escapeLogLine } from '../base/text.ts';
import {
  bootFiles,
  configfsCommands,
  moduleParameter,
  planSender,
  type SenderPlan,
  targets,
} from '../collect/netconsole/sender.ts';
import { applyTarget, removeTarget, testTarget } from '../collect/netconsole/target.ts';
import { writeError, writeOut } from './output.ts';

export interface NetconsoleOptions {
  readonly device: string | null;
  readonly localPort: number;
  readonly basic: boolean;
  readonly name: string;
  readonly apply: boolean;
  readonly test: boolean;
  readonly show: boolean;
  readonly remove: boolean;
  readonly json: boolean;
}

/** @returns the exit status: 1 if a test was not answered */
export async function runNetconsole(receiver: string | null, options: NetconsoleOptions): Promise<number> {
  // it becomes a folder of configfs and a word of a shell
  if (!/^[\w-]{1,64}$/.test(options.name)) throw new UsageError(`not a name: ${options.name}`);
  if (options.show) {
    const shown = targets();
    if (options.json)
      writeOut(
        `${escapeJson(JSON.stringify(shown.map(({ name, attributes }) => ({ name, attributes: Object.fromEntries(attributes) }))))}\n`,
      );
    else for (const { name, attributes } of shown) writeOut(targetText(name, attributes));
    if (shown.length === 0) writeError('inquest: netconsole sends to nobody\n');
    return 0;
  }
  if (options.remove) {
    removeTarget(options.name);
    return 0;
  }
  if (receiver === null) throw new UsageError('HOST[:PORT] of the receiver is needed');
  const [host, port] = hostAndPort(receiver);
  const { device, localPort, basic } = options;
  const plan = await planSender(host, port, { device, localPort, basic });
  writeOut(
    options.json ? `${escapeJson(JSON.stringify(planData(plan, options.name)))}\n` : planText(plan, options.name),
  );
  for (const warning of plan.warnings) writeError(`inquest: ${escapeLogLine(warning)}\n`);
  if (options.apply)
    for (const attribute of applyTarget(plan.settings, options.name))
      writeError(`inquest: this kernel's netconsole knows no ${attribute}\n`);
  if (!options.test) return 0;
  const answered = await testTarget(plan.settings.localAddress, (text) => {
    try {
      // a level that every console prints
      writeFileSync('/dev/kmsg', `<0>${text}\n`);
    } catch (error) {
      throw new FormatError('/dev/kmsg', `cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  });
  writeError(
    answered
      ? 'inquest: the receiver has the test message\n'
      : 'inquest: no answer: does inquest listen run there, does a firewall drop UDP, and is a target enabled (--show)?\n',
  );
  return answered ? 0 : 1;
}

function hostAndPort(text: string): [string, number] {
  const m = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:/]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  if (m === null && /^[0-9a-fA-F:]{2,45}$/.test(text)) return [text, 6666];
  const port = Number(m?.[3] ?? 6666);
  if (m === null || port < 1 || port > 65535) throw new UsageError(`not HOST:PORT: ${text}`);
  return [m[1] ?? m[2]!, port];
}

/** What `--json` prints of a plan. */
export type NetconsoleData = ReturnType<typeof planData>;

function planData({ settings, warnings }: SenderPlan, name: string) {
  return {
    settings,
    parameter: moduleParameter(settings),
    configfs: configfsCommands(settings, name),
    files: bootFiles(settings),
    warnings,
  };
}

function planText({ settings }: SenderPlan, name: string): string {
  const { device, localAddress, remoteAddress, remotePort, gateway } = settings;
  return [
    `# from ${localAddress} on ${device} to ${remoteAddress} port ${remotePort}${gateway === null ? '' : `, through ${gateway}`}`,
    '',
    '# on the kernel command line, or as a parameter of the module:',
    `netconsole=${moduleParameter(settings)}`,
    '',
    '# while the kernel runs:',
    ...configfsCommands(settings, name),
    '',
    '# at each boot:',
    ...bootFiles(settings).flatMap(({ path, text }) => [`# ${path}`, text.trimEnd()]),
    '',
  ]
    .map((line) => `${escapeLogLine(line)}\n`)
    .join('');
}

function targetText(name: string, attributes: ReadonlyMap<string, string>): string {
  const value = (attribute: string): string => attributes.get(attribute) ?? '?';
  const kind = value('extended') === '1' ? 'extended' : 'basic';
  const state = value('enabled') === '1' ? 'enabled' : 'not enabled';
  return `${escapeLogLine(
    `${name}: ${state}, ${kind}, ${value('dev_name')} ${value('local_ip')}:${value('local_port')} -> ${value('remote_ip')}:${value('remote_port')} (${value('remote_mac')})`,
  )}\n`;
}
