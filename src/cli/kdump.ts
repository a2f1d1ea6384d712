// `inquest kdump status`, `check`, `import`, `size`, `describe`: what is there, and whether it works.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { FormatError, UsageError } from '../base/errors.ts';
import { escapeJson, escapeLine, escapeTerminal } from '../base/text.ts';
import { type CheckReport, checkHost, exitStatus } from '../host/check.ts';
import { type Finding, sizeText } from '../host/checks/finding.ts';
import type { Remark } from '../host/config/assignments.ts';
import { Host } from '../host/host.ts';
import { importConfig } from '../host/import_config.ts';
import { HostRoot } from '../host/root.ts';
import { neededOf, parseSizeFacts, type SizeFacts, sizeFacts } from '../host/size.ts';
import { modelSizes } from '../host/size_models.ts';
import { writeError, writeOut } from './output.ts';

/** @throws UsageError where it is no folder */
function hostAt(root: string): Host {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UsageError(`--root ${root}: no such folder`);
  return new Host(new HostRoot(root));
}

export function runCheck(
  root: string,
  { verb, format }: { readonly verb: 'status' | 'check'; readonly format: 'text' | 'json' | 'prometheus' },
): number {
  const report = checkHost(hostAt(root));
  switch (format) {
    case 'json':
      writeOut(`${escapeJson(JSON.stringify(report, null, 2))}\n`);
      break;
    case 'prometheus':
      writeOut(prometheusText(report));
      break;
    case 'text':
      writeOut(verb === 'status' ? statusText(report) : checkText(report));
  }
  return exitStatus(report);
}

const headings: Readonly<Record<CheckReport['state'], string>> = {
  ready: 'READY: the next panic would be captured',
  'not-ready': 'NOT READY: the next panic would not be captured',
  unknown: 'UNKNOWN: what decides whether the next panic is captured could not be seen',
};
const marks: Readonly<Record<Finding['state'], string>> = {
  ok: 'ok',
  info: '-',
  warning: 'WARNING',
  failed: 'FAILED',
  unknown: '?',
};

function heading({ state, release, family }: CheckReport): string {
  return `${headings[state]}\nkernel ${escapeLine(release ?? 'unknown')}, ${family === null ? 'no kdump' : `kdump of ${family}`}\n`;
}

function statusText(report: CheckReport): string {
  const shown = report.findings.filter(
    ({ state, decides }) => state === 'failed' || state === 'warning' || (state === 'unknown' && decides),
  );
  return `${heading(report)}${shown.map((one) => `  ${marks[one.state].padEnd(8)}${one.id}: ${escapeLine(one.found)}\n${one.mend === null ? '' : `          mend: ${escapeLine(one.mend)}\n`}`).join('')}`;
}

function checkText(report: CheckReport): string {
  const lines = report.findings.flatMap((one) => [
    `${marks[one.state].padEnd(8)}${one.id}: ${escapeLine(one.found)}`,
    ...(one.state === 'ok' ? [] : [`          why: ${one.why}`]),
    ...(one.mend === null ? [] : [`          mend: ${escapeLine(one.mend)}`]),
  ]);
  return `${heading(report)}\n${lines.join('\n')}\n`;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats */
function prometheusText({ state, findings }: CheckReport): string {
  const ids = [...new Set(findings.map(({ id }) => id))];
  const worst = (id: string): Finding['state'] => {
    const order = ['ok', 'info', 'unknown', 'warning', 'failed'] as const;
    return order.findLast((one) => findings.some((each) => each.id === id && each.state === one))!;
  };
  return [
    '# HELP inquest_kdump_ready Whether the next panic would be captured.',
    '# TYPE inquest_kdump_ready gauge',
    `inquest_kdump_ready ${state === 'ready' ? 1 : 0}`,
    '# HELP inquest_kdump_check What a check found: 1 for its state.',
    '# TYPE inquest_kdump_check gauge',
    ...ids.map((id) => `inquest_kdump_check{check="${id}",state="${worst(id)}"} 1`),
    '',
  ].join('\n');
}

function remarkText(path: string, { line, text }: Remark): string {
  return `inquest: ${escapeLine(path)}${line === null ? '' : `:${line}`}: ${escapeLine(text)}\n`;
}

export function runImport(root: string, output: string | null): number {
  const imported = importConfig(hostAt(root));
  if (imported === null) throw new FormatError('kdump', 'no configuration of another kdump is there');
  for (const { path, remarks } of imported.from.configuration.files)
    for (const remark of remarks) writeError(remarkText(path, remark));
  const { path } = imported.from.configuration.files[0]!;
  for (const remark of imported.without) writeError(`${remarkText(path, remark).trimEnd()} [no counterpart]\n`);
  if (output === null) writeOut(escapeTerminal(imported.text));
  else writeFileSync(output, imported.text, { flag: 'wx', mode: 0o644 });
  return 0;
}

export function runDescribe(root: string): number {
  writeOut(`${escapeJson(JSON.stringify(sizeFacts(hostAt(root)), null, 2))}\n`);
  return 0;
}

/** What `size --json` prints. */
export interface SizeData extends ReturnType<typeof neededOf> {
  readonly facts: SizeFacts;
  /** For the kernel's command line: `crashkernel=` this. */
  readonly crashkernel: string;
  readonly models: ReturnType<typeof modelSizes>;
}

export function runSize(
  root: string,
  { from, json }: { readonly from: string | null; readonly json: boolean },
): number {
  const facts = from === null ? sizeFacts(hostAt(root)) : parseSizeFacts(readFileSync(from, 'utf8'), from);
  const needed = neededOf(facts);
  const models = modelSizes(facts);
  const value = `${Math.ceil(needed.total / (64 << 20)) * 64}M`;
  const data: SizeData = { facts, ...needed, crashkernel: value, models };
  if (json) writeOut(`${escapeJson(JSON.stringify(data, null, 2))}\n`);
  else writeOut(sizeTable(facts, needed.items, needed.total, value, models));
  return 0;
}

function sizeTable(
  facts: SizeFacts,
  items: ReturnType<typeof neededOf>['items'],
  total: number,
  value: string,
  models: ReturnType<typeof modelSizes>,
): string {
  const row = (name: string, bytes: number | null, from: string): string =>
    `${name.padEnd(26)}${(bytes === null ? '-' : sizeText(bytes)).padStart(10)}  ${from}\n`;
  return [
    `${escapeLine(facts.release ?? 'kernel unknown')}, ${facts.machine}, ${sizeText(facts.ram)} RAM, ${facts.cpus} processors\n\n`,
    ...items.map(({ name, bytes, from }) => row(name, bytes, from)),
    row('together', total, `crashkernel=${value}`),
    '\nother models\n',
    ...models.map(({ name, bytes, says }) => row(name, bytes, says)),
  ].join('');
}
