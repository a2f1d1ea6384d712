// What setup does to a machine: files and commands as data, so that they can be shown before anything is done, and undone.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { InquestError } from '../../base/errors.ts';
import type { HostRoot } from '../root.ts';

export type Action =
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly text: string;
      readonly mode: number;
      readonly why: string;
    }
  | { readonly kind: 'delete'; readonly path: string; readonly why: string }
  /** @see mayFail: what follows is done all the same */
  | { readonly kind: 'run'; readonly command: readonly string[]; readonly mayFail: boolean; readonly why: string };

/** A command of setup failed; what was done before it stays, and is recorded. */
export class SetupError extends InquestError {
  readonly code = 'setup';
}

/** Shows an action as `--dry-run` does. */
export function actionText(action: Action): string {
  switch (action.kind) {
    case 'write':
      return `write ${action.path}  # ${action.why}\n${action.text.replace(/^(?=.)/gm, '    | ')}${action.text.endsWith('\n') ? '' : '\n'}`;
    case 'delete':
      return `delete ${action.path}  # ${action.why}\n`;
    case 'run':
      return `run ${action.command.join(' ')}  # ${action.why}\n`;
  }
}

/**
 * Does what is asked for, in order. Commands run on the live machine alone; below another root they are only told.
 * @param tell is given each step as it is done
 * @throws SetupError where a command fails; errors of the system where a file cannot be written
 */
export function perform(root: HostRoot, actions: readonly Action[], tell: (line: string) => void): void {
  for (const action of actions) {
    switch (action.kind) {
      case 'write': {
        const place = root.placeToWrite(action.path);
        mkdirSync(dirname(place), { recursive: true });
        writeFileSync(`${place}.new`, action.text, { mode: action.mode });
        renameSync(`${place}.new`, place);
        tell(`wrote ${action.path}`);
        break;
      }
      case 'delete':
        rmSync(root.placeToWrite(action.path), { force: true });
        tell(`deleted ${action.path}`);
        break;
      case 'run': {
        if (!root.isLive) {
          tell(`not run, since this is another root: ${action.command.join(' ')}`);
          break;
        }
        const [program = '', ...args] = action.command;
        const done = spawnSync(program, args, { encoding: 'utf8' });
        if (done.status === 0) tell(`ran ${action.command.join(' ')}`);
        else {
          const problem =
            (done.stderr ?? '').trim().split('\n').at(-1) || done.error?.message || `exit status ${done.status}`;
          if (!action.mayFail) throw new SetupError(`${action.command.join(' ')}: ${problem}`);
          tell(`${action.command.join(' ')}: ${problem}`);
        }
      }
    }
  }
}
