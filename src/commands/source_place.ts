// A place in the source as commands give and draw it.
import { escapeLine } from '../base/text.ts';
import type { SourceLine } from '../debuginfo/debug_info.ts';

export interface SourcePlace {
  readonly file: string;
  readonly line: number;
}

export function sourcePlace(line: SourceLine | null): SourcePlace | null {
  return line === null ? null : { file: line.file, line: line.line };
}

/** `kernel/sched/core.c: 6632`, as crash(8) writes it. */
export function placeText({ file, line }: SourcePlace): string {
  return `${escapeLine(file)}: ${line}`;
}
