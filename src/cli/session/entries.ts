// The commands of the program's shell: those of src/commands, and those that stand on the log's incidents and the report.
import { type CommandEntry, commandEntries } from '../../commands/command_files.ts';

/** By name, loaded when they are run. */
export function sessionCommands(): ReadonlyMap<string, CommandEntry> {
  return new Map<string, CommandEntry>([
    ...commandEntries(),
    ['explain', async () => (await import('./explain.ts')).explain],
    ['oops', async () => (await import('./oops.ts')).oops],
    ['report', async () => (await import('./report.ts')).report],
  ]);
}
