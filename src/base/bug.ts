// An error that nobody expected is a bug of this program, and says so in a few lines that whoever mends it can use: the
// lines of the sources, not those of the bundle. Node could look them up, but would read every map at the start for it.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InquestError, messageOf } from './errors.ts';
import { escapeLine, escapeTerminal } from './text.ts';
import { version } from './version.ts';

const native: readonly unknown[] = [Error, TypeError, RangeError, ReferenceError, SyntaxError, URIError, EvalError];

/** Most lines of a stack. */
const maxFrames = 12;
const stackLine = /^ +at (?:(.*) \()?((?:file:\/\/)?\/[^()]*?):(\d+):(\d+)\)?$/;

/**
 * Tells whether an error is this program's fault: not one thrown on purpose, nor of the operating system. One that
 * came from a thread has lost its class, but not that errors thrown on purpose have no stack.
 */
export function isBug(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof InquestError || !native.includes(error.constructor)) return false;
  return !('syscall' in error) && framesOf(error).length > 0;
}

/** What to say about an error, and more about a bug: lines that are safe for a terminal, the last one ended. */
export function problemText(error: unknown): string {
  return isBug(error) ? bugText(error) : `${escapeTerminal(messageOf(error))}\n`;
}

function bugText(error: Error): string {
  const frames = framesOf(error).slice(0, maxFrames);
  return [
    `${error.name}: ${escapeLine(error.message)}`,
    ...frames.map((frame) => `    at ${escapeTerminal(frame)}`),
    `This is a bug of inquest ${version} (Node ${process.versions.node}, ${process.platform} ${process.arch}), not of what it was`,
    'given. Please report it where you got inquest: these lines, and the command line.',
    '',
  ].join('\n');
}

/** The program's own frames: `function (src/kernel/list.ts:40)`. */
function framesOf(error: Error): readonly string[] {
  const maps = new Map<string, ReturnType<typeof readMap>>();
  return (error.stack ?? '').split('\n').flatMap((text) => {
    const [, name, file = '', line, column] = stackLine.exec(text) ?? [];
    if (line === undefined) return [];
    const path = file.startsWith('file:') ? fileURLToPath(file) : file;
    if (!maps.has(path)) maps.set(path, readMap(path));
    const entry = maps.get(path)?.findEntry(Number(line) - 1, Number(column) - 1);
    const place =
      entry !== undefined && 'originalSource' in entry
        ? `${sourceName(entry.originalSource)}:${entry.originalLine + 1}`
        : `${sourceName(path)}:${line}`;
    return [name === undefined ? place : `${name} (${place})`];
  });
}

function sourceName(path: string): string {
  return /(?:^|\/)(src\/.*)$/.exec(path)?.[1] ?? basename(path);
}

function readMap(path: string) {
  const map = `${path}.map`;
  if (!existsSync(map)) return null;
  const { SourceMap } = process.getBuiltinModule('node:module');
  return new SourceMap(JSON.parse(readFileSync(map, 'utf8')) as ConstructorParameters<typeof SourceMap>[0]);
}
