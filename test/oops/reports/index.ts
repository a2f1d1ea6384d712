// The corpus of spoken reports: all of its texts.
import { faults } from './faults.ts';
import { hangs } from './hangs.ts';
import { locks } from './locks.ts';
import { panics } from './panics.ts';
import { sanitizers } from './sanitizers.ts';
import type { Text } from './text.ts';
import { warnings } from './warnings.ts';

export const allTexts: readonly Text[] = [...faults, ...sanitizers, ...hangs, ...locks, ...warnings, ...panics];
