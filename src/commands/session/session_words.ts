// What the shell does itself with a line, and so is no command: its pages in `help`.
import type { Page } from '../usage.ts';

export const sessionWords: readonly Page[] = [
  {
    name: 'exit',
    summary: 'ends the session',
    usage: [''],
    description: '"quit", "q" and the end of the input do so, too.',
    params: [],
    examples: [],
  },
  {
    name: 'extend',
    summary: 'commands of your own, out of JavaScript files',
    usage: ['', 'file...', '-u [file]...', '-s'],
    description: `Loads files; each command that one exports (made with defineCommand or defineStream of the package "inquest") is then
there as if it were built in, and hides one of the same name. Without arguments lists the files that are loaded. Files are
looked for here, then in the folder that CRASH_EXTENSIONS names.
  -u  takes the commands of files away again, of all where none is named
  -s  lists the files in the folder of CRASH_EXTENSIONS`,
    params: [],
    examples: [['extend mine.js', 'the commands of mine.js, from now on']],
  },
  {
    name: 'q',
    summary: 'ends the session',
    usage: [''],
    description: 'As "exit".',
    params: [],
    examples: [],
  },
  {
    name: 'repeat',
    summary: 'a command again and again',
    usage: ['[-seconds] command...'],
    description: `Runs a command until Ctrl-C, or until it fails, with so many seconds between. Of use on a running machine: a dump does not
change.`,
    params: [],
    examples: [['repeat -10 runq', 'the run queues every ten seconds']],
  },
];
