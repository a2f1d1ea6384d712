// inquest's configuration from whichever kdump is there.

import type { Remark } from './config/assignments.ts';
import { writeConfig } from './config/inquest_config.ts';
import type { Host } from './host.ts';
import type { KdumpService } from './kdump_services.ts';

export interface Imported {
  readonly from: KdumpService;
  /** The text of /etc/inquest/kdump.toml. */
  readonly text: string;
  /** Settings without a counterpart. */
  readonly without: readonly Remark[];
  /** What is wrong in the files that were read. */
  readonly remarks: readonly Remark[];
}

/** Null where there is no other kdump. */
export function importConfig(host: Host): Imported | null {
  const others = host.services.filter(({ family }) => family !== 'inquest');
  const from = others.find(({ isEnabled }) => isEnabled) ?? others[0];
  if (from === undefined) return null;
  const { config, without, files } = from.configuration;
  return { from, text: writeConfig(config), without, remarks: files.flatMap(({ remarks }) => remarks) };
}
