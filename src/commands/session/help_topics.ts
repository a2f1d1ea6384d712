// What `help` explains besides commands.
export const topics: Readonly<Record<string, string>> = {
  input: `A line is a command with its arguments, and where its output goes.

  COMMAND ARGS            runs a command; "help" lists them
  COMMAND | SHELL-LINE    pipes its output into a line of the system's shell
  COMMAND > FILE          writes its output to a file; >> appends
  < FILE                  runs the commands in a file, one a line
  !SHELL-LINE             runs a line in the system's shell; ! alone starts a shell
  # TEXT, // TEXT         a comment
  exit, quit, q           leaves

A word that is no command is taken as a symbol, and then as the name of a struct: "jiffies" is "p jiffies",
"list_head" is "struct list_head".

Numbers: addresses are hexadecimal, with or without 0x; pids and counts decimal. A word that is both a
hexadecimal number and a symbol is the symbol. "..." keeps blanks in one argument; (...) is an expression.
CPUs are written as 1,3,5-7 or a for all.`,
  output: `Every command prints to standard output what it could read. What it could not read, and why, goes to standard
error, with the address: excluded by the dump's filter, not in the dump, not mapped, lost to a cut file, or
corrupt.

Text that comes from the dump (names of tasks, the log) has its control characters written as \\xNN.

With --json, each command prints one line of JSON: {"command": ..., "data": ..., "faults": [...]}. Addresses and other
64-bit values are strings such as "0xffffffff81000000".

radix, shown and changed by "set radix", is how values are printed: 10 or 16. Most commands have -d and -x to
choose for once.`,
};
