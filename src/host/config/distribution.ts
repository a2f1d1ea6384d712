// What the three families' configurations share when they are read.
import type { Remark, Setting } from './assignments.ts';
import type { CaptureConfig } from './capture_config.ts';

export type Family = 'kdump-utils' | 'kdump-tools' | 'suse' | 'inquest';

/** One file, as it was read. */
export interface ConfigurationFile {
  readonly path: string;
  readonly settings: readonly Setting[];
  readonly remarks: readonly Remark[];
}

/** The configuration of a kdump service. */
export interface Configuration {
  readonly family: Family;
  readonly files: readonly ConfigurationFile[];
  /** What it says, in inquest's own terms. */
  readonly config: CaptureConfig;
  /** Settings that have no counterpart there, each with what becomes of it. */
  readonly without: readonly Remark[];
  /** Whether it says that kdump is to be used at all. */
  readonly isOn: boolean;
}

/** What of makedumpfile's options has a counterpart. */
export function makedumpfileOptions(words: string): Partial<Pick<CaptureConfig, 'level' | 'compression'>> {
  const level = /(?:^|\s)-\w*d\s*(\d+)/.exec(words)?.[1];
  const flag = (letter: string): boolean =>
    new RegExp(`(?:^|\\s)-[a-zA-Z]*${letter}(?=[a-zA-Z]*(?:\\s|$))`).test(words.replaceAll(/--\S+/g, ''));
  const compression = flag('z') ? 'zstd' : flag('c') ? 'zlib' : flag('l') ? 'lzo' : flag('p') ? 'snappy' : undefined;
  return {
    ...(level === undefined || Number(level) > 31 ? {} : { level: Number(level) }),
    ...(compression === undefined ? {} : { compression }),
  };
}
