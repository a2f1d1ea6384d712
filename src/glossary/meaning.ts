/**
 * One line of a table: words that mean the same (`RU / R / TASK_RUNNING`), the first the usual one; what they mean; and
 * commands that show more.
 */
export type Meaning = readonly [words: string, meaning: string, ...next: string[]];
