// Who is asked about a dump: inquest, or crash(8) and drgn as peers. All answer the same commands in the same format.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePs } from './crash_text.ts';
import { labFolder, projectFolder } from './place.ts';
import { lastLines, programPath } from './programs.ts';

export interface Answers {
  readonly name: string;
  /** What a command prints; undefined when the program has no such command. @throws Error when the command fails outright */
  ask(command: string): string | undefined;
}

/** Not a command of the shell: `inquest report --format json`. crash(8) has nothing like it. */
export const reportCommand = 'report --format json';

/** A command line with this behind it asks for the command's data in JSON. crash(8) has nothing like it. */
export const asJson = ' --json';

/** Dates are asked for in the guest's time zone. */
const env = { ...process.env, TZ: 'UTC' };

/** Asks inquest, one process a command, so that one that dies harms no other. */
export class InquestAnswers implements Answers {
  readonly name = 'inquest';
  readonly #dumps: readonly string[];
  readonly #program: string;
  readonly #known = new Map<string, string>();
  readonly #commands: ReadonlySet<string>;

  /** @param program inquest's entry point; its own source unless told otherwise */
  constructor(dumps: readonly string[], program = join(projectFolder, 'src/cli/main.ts')) {
    this.#dumps = dumps;
    this.#program = program;
    this.#commands = new Set(this.#run('help', ['crash', ...dumps, '-s', '-c', 'help']).match(/\S+/g) ?? []);
  }

  ask(command: string): string | undefined {
    if (command === reportCommand) return this.#once(command, ['report', '--format', 'json', ...this.#dumps]);
    const [verb = '', ...rest] = command.replace(/^foreach (user |kernel )?/, '').split(' ');
    if (!this.#commands.has(verb)) return undefined;
    if (command.endsWith(asJson))
      return this.#once(command, ['crash', ...this.#dumps, '-s', '--json', '-c', command.slice(0, -asJson.length)]);
    if (command.startsWith('foreach ') && !this.#commands.has('foreach')) {
      const each = parsePs(this.ask('ps') ?? '').filter((row) => row.pid !== 0);
      return each.length === 0 ? undefined : this.ask([verb, ...rest, ...each.map((row) => row.pid)].join(' '));
    }
    return this.#once(command, ['crash', ...this.#dumps, '-s', '-c', command]);
  }

  /** @param command what the answer is known by */
  #once(command: string, args: readonly string[]): string {
    const known = this.#known.get(command);
    if (known !== undefined) return known;
    const text = this.#run(command, args);
    this.#known.set(command, text);
    return text;
  }

  #run(command: string, args: readonly string[]): string {
    const result = spawnSync(process.execPath, [this.#program, ...args], {
      maxBuffer: 1 << 30,
      encoding: 'utf8',
      env,
      timeout: 300_000,
    });
    if (result.error !== undefined) throw new Error(`inquest ${command}: ${result.error.message}`);
    if (result.status !== 0 && result.stdout === '')
      throw new Error(`inquest ${command}: ${lastLines(result.stderr, 5)}`);
    return result.stdout;
  }
}

/** Asks crash(8), one process for all commands, since it takes long to start. */
export class CrashAnswers implements Answers {
  readonly name = 'crash';
  readonly #texts = new Map<string, string>();

  /** @throws Error when crash cannot work with this dump */
  constructor(dump: string, vmlinux: string, commands: readonly string[]) {
    const folder = mkdtempSync(join(tmpdir(), 'lab-crash-'));
    try {
      const asked = commands.filter((command) => command !== reportCommand && !command.endsWith(asJson));
      const file = (i: number) => join(folder, String(i));
      const input = join(folder, 'input');
      writeFileSync(input, [...asked.map((command, i) => `${command} > ${file(i)}`), 'quit', ''].join('\n'));
      const result = spawnSync('crash', ['-s', '-i', input, vmlinux, dump], {
        maxBuffer: 1 << 30,
        encoding: 'utf8',
        env,
        timeout: 600_000,
      });
      asked.forEach((command, i) => {
        if (existsSync(file(i))) this.#texts.set(command, readFileSync(file(i), 'utf8'));
      });
      if (this.#texts.size === 0)
        throw new Error(`crash cannot work with this dump: ${lastLines(`${result.stdout}${result.stderr}`, 4)}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  static get installed(): boolean {
    return programPath('crash') !== undefined;
  }

  ask(command: string): string | undefined {
    return this.#texts.get(command);
  }
}

/** Asks drgn, through a script that prints the answers it knows of in crash's format. */
export class DrgnAnswers implements Answers {
  readonly name = 'drgn';
  readonly #texts: ReadonlyMap<string, string>;

  /** @throws Error when drgn cannot work with this dump */
  constructor(dump: string, vmlinux: string) {
    const script = join(labFolder, 'peers/drgn.py');
    const result = spawnSync('drgn', ['-q', '-c', dump, '-s', vmlinux, script], {
      maxBuffer: 1 << 30,
      encoding: 'utf8',
      timeout: 600_000,
    });
    if (result.status !== 0) throw new Error(`drgn cannot work with this dump: ${lastLines(result.stderr ?? '', 4)}`);
    const parts = result.stdout.split(/^@@ (.*)\n/m).slice(1);
    this.#texts = new Map(parts.flatMap((command, i) => (i % 2 === 0 ? [[command, parts[i + 1] ?? '']] : [])));
  }

  static get installed(): boolean {
    return programPath('drgn') !== undefined;
  }

  ask(command: string): string | undefined {
    return this.#texts.get(command);
  }
}
