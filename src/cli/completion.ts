// `inquest completion SHELL`: a script that completes the program's jobs, options and their choices, and, behind
// `crash -c`, the commands of the crash shell.
import { assertNever } from '../base/errors.ts';
import type { Job, JobOption } from './program_page.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** @param commands names of the crash shell's commands */
export function completionScript(shell: Shell, jobs: readonly Job[], commands: readonly string[]): string {
  switch (shell) {
    case 'bash':
      return bash(jobs, commands);
    case 'zsh':
      return zsh(jobs, commands);
    case 'fish':
      return fish(jobs, commands);
    default:
      return assertNever(shell);
  }
}

const flagsOf = ({ short, long }: JobOption): string[] => [short, long].filter((flag) => flag !== null);
/** Words that an option's value may be; null for a file. */
const valuesOf = (job: Job, option: JobOption, commands: readonly string[]): readonly string[] | null =>
  option.choices.length > 0 ? option.choices : job.name === 'crash' && option.long === '--command' ? commands : null;
/** Words that an argument may be. */
const choicesOf = (job: Job): readonly string[] => job.args.flatMap(({ choices }) => choices);
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(jobs: readonly Job[], commands: readonly string[]): string {
  const names = jobs.map(({ name }) => name);
  const cases = jobs.map((job) => {
    const values = job.options
      .filter(({ value }) => value !== null)
      .map((option) => {
        const words = valuesOf(job, option, commands);
        const answer = words === null ? 'compgen -f -- "$cur"' : `compgen -W ${quoted(words.join(' '))} -- "$cur"`;
        return `        ${flagsOf(option).join('|')}) mapfile -t COMPREPLY < <(${answer}); return ;;`;
      });
    const flags = job.options.flatMap(flagsOf).join(' ');
    return `    ${job.name})
      case "$prev" in
${values.length === 0 ? '        *) ;;' : values.join('\n')}
      esac
      words=${quoted(choicesOf(job).join(' '))}
      flags=${quoted(flags)} ;;`;
  });
  return `# bash completion of inquest: source it, or put it into /etc/bash_completion.d
_inquest() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" words='' flags=''
  local jobs=${quoted(names.join(' '))}
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$jobs" -- "$cur"; compgen -f -- "$cur")
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [[ "$cur" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"; compgen -f -- "$cur")
  fi
}
complete -o filenames -F _inquest inquest
`;
}

function zsh(jobs: readonly Job[], commands: readonly string[]): string {
  const described = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');
  const names = jobs.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(':', '\\:')}`)}`);
  const cases = jobs.map((job) => {
    const specs = job.options.flatMap((option) =>
      flagsOf(option).map((flag) => {
        const words = valuesOf(job, option, commands);
        const value =
          option.value === null
            ? ''
            : `:${described(option.value)}:${words === null ? '_files' : `(${words.join(' ')})`}`;
        return `        ${quoted(`*${flag}[${described(option.help)}]${value}`)}`;
      }),
    );
    const choices = choicesOf(job);
    const rest = `        ${quoted(`*:file:${choices.length === 0 ? '_files' : `(${choices.join(' ')})`}`)}`;
    return `    ${job.name})\n      _arguments -S \\\n${[...specs, rest].join(' \\\n')} ;;`;
  });
  return `#compdef inquest
# zsh completion of inquest: put it into a folder of $fpath as _inquest
_inquest() {
  local -a jobs
  jobs=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe job jobs
    _files
    return
  fi
  local job=$words[2]
  shift words
  (( CURRENT-- ))
  case "$job" in
${cases.join('\n')}
    *) _files ;;
  esac
}
if [ "$funcstack[1]" = _inquest ]; then _inquest "$@"; else compdef _inquest inquest; fi
`;
}

function fish(jobs: readonly Job[], commands: readonly string[]): string {
  const lines = jobs.flatMap((job) => {
    const within = `-n '__fish_seen_subcommand_from ${job.name}'`;
    const options = job.options.map((option) => {
      const flags = [
        ...(option.short === null ? [] : [`-s ${option.short.slice(1)}`]),
        ...(option.long === null ? [] : [`-l ${option.long.slice(2)}`]),
      ];
      const words = valuesOf(job, option, commands);
      const value = option.value === null ? [] : words === null ? ['-r -F'] : [`-x -a ${quoted(words.join(' '))}`];
      return ['complete -c inquest', within, ...flags, ...value, `-d ${quoted(option.help)}`].join(' ');
    });
    const choices = choicesOf(job);
    return [
      `complete -c inquest -n __fish_use_subcommand -a ${job.name} -d ${quoted(job.summary)}`,
      ...(choices.length === 0 ? [] : [`complete -c inquest ${within} -f -a ${quoted(choices.join(' '))}`]),
      ...options,
    ];
  });
  return `# fish completion of inquest: put it into ~/.config/fish/completions/inquest.fish\n${lines.join('\n')}\n`;
}
