// The kinds of debug information that a dump is searched for, best first. A new kind is a file and a line here.
import { btfKind } from './btf_info.ts';
import type { DebugInfoKind } from './debug_info.ts';
import { wellKnownVariables } from './variables.ts';

export const debugInfoKinds: readonly DebugInfoKind[] = [btfKind, wellKnownVariables];
