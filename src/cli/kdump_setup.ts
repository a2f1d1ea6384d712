// `inquest kdump rebuild`, `load`, `unload`: the capture kernel and its initramfs.

import { UsageError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { loadCapture, rebuildCapture, unloadCapture } from '../host/capture_image.ts';
import { sizeText } from '../host/checks/finding.ts';
import type { CaptureConfig } from '../host/config/capture_config.ts';
import { configPath } from '../host/config/inquest_config.ts';
import { Host } from '../host/host.ts';
import { HostRoot } from '../host/root.ts';
import { writeError, writeOut } from './output.ts';

/** The configuration of a machine; what is wrong in it is told. @throws UsageError where there is none, or an error in it */
function configOf(host: Host): CaptureConfig {
  const own = host.services.find(({ family }) => family === 'inquest');
  if (own === undefined) throw new UsageError(`there is no ${configPath}: inquest kdump setup`);
  const remarks = own.configuration.files.flatMap((file) => file.remarks);
  for (const { line, text } of remarks)
    writeError(`inquest: ${configPath}${line === null ? '' : `:${line}`}: ${escapeLine(text)}\n`);
  if (remarks.some(({ severity }) => severity === 'error'))
    throw new UsageError(`${configPath} is not as it should be`);
  return own.configuration.config;
}

export function runRebuild(
  root: string,
  { force, output }: { readonly force: boolean; readonly output: string | null },
): number {
  const host = new Host(new HostRoot(root));
  const { manifest, folder, isNew } = rebuildCapture(host, configOf(host), output, force);
  for (const warning of manifest.warnings) writeError(`inquest: ${escapeLine(warning)}\n`);
  writeOut(
    `${folder}/initramfs.img: ${sizeText(manifest.size)}, for ${escapeLine(manifest.release)}, ${isNew ? 'built' : 'nothing changed'}\n`,
  );
  return 0;
}

export function runLoad(): number {
  const host = new Host(new HostRoot());
  writeOut(`a capture kernel is loaded (${loadCapture(host, configOf(host))})\n`);
  return 0;
}

export function runUnload(): number {
  unloadCapture(new Host(new HostRoot()));
  writeOut('no capture kernel is loaded any more\n');
  return 0;
}
