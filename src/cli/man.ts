// `inquest man`: which page, of what.
import type { Command as Program } from 'commander';
import type { Command } from '../commands/command.ts';
import { foreachOver } from '../commands/session/foreach.ts';
import { entryOf, helpOn } from '../commands/session/help.ts';
import { Aliases, aliasCommand } from '../shell/aliases.ts';
import { crashManual, type ManPage, programManual } from './man_page.ts';
import { jobsOf } from './program_page.ts';
import { sessionCommands } from './session/entries.ts';

/** The page as text of man(7). */
export async function runMan(page: ManPage, program: Program, version: string): Promise<string> {
  const jobs = jobsOf(program);
  if (page === 'inquest') return programManual(version, program.description(), jobs);
  const table = new Map<string, Command>();
  for (const command of [foreachOver(table), helpOn(table), aliasCommand(new Aliases(), sessionCommands())])
    table.set(command.name, command);
  for (const [name, entry] of sessionCommands()) table.set(name, typeof entry === 'function' ? await entry() : entry);
  const commands = [...table.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(entryOf);
  return crashManual(version, jobs.find(({ name }) => name === 'crash')!, commands);
}
