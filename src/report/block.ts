// What documents are made of: blocks, which each renderer draws in its way. Text in them is as it was: renderers escape it.

export interface TimelineRow {
  /** On the line, in seconds; null: it has no place. */
  readonly seconds: number | null;
  /** The time as it is shown. */
  readonly label: string;
  readonly text: string;
  readonly weight: 'death' | 'trouble' | 'note';
  /** Who says so. */
  readonly note: string;
}

export type Block =
  /** The one sentence that matters. */
  | { readonly kind: 'verdict'; readonly text: string }
  /** Begins a part; `folded`: of which a page shows the heading alone until it is asked for more. */
  | { readonly kind: 'heading'; readonly text: string; readonly folded?: boolean }
  | { readonly kind: 'subheading'; readonly text: string; readonly note: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [label: string, value: string])[] }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  /** Output of a command (or lines of the log, where `command` says how to see them); `marked` lines stand out. */
  | {
      readonly kind: 'output';
      readonly command: string;
      readonly lines: readonly { readonly text: string; readonly marked: boolean }[];
    }
  /** What happened when, in order. */
  | { readonly kind: 'timeline'; readonly entries: readonly TimelineRow[] }
  | { readonly kind: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
