// An expression that is tried on lines of a log. Most lines do not even begin like what it matches, and to see that takes a
// look at one character, where to ask the engine of regular expressions takes twenty times as long.
import { firstCharacters } from './first_characters.ts';

export class LinePattern {
  readonly pattern: RegExp;
  /** By code: 0 where no text that begins with the character matches. Made when first asked for. */
  private first: Uint8Array | null = null;

  /** @param pattern that begins with ^, without flags */
  constructor(pattern: RegExp) {
    this.pattern = pattern;
  }

  test(text: string): boolean {
    return (this.first ?? this.prepare())[text.charCodeAt(0)] !== 0 && this.pattern.test(text);
  }

  exec(text: string): RegExpExecArray | null {
    return (this.first ?? this.prepare())[text.charCodeAt(0)] !== 0 ? this.pattern.exec(text) : null;
  }

  private prepare(): Uint8Array {
    const found = firstCharacters(this.pattern.source);
    this.first = new Uint8Array(128);
    if (found === null) this.first.fill(1);
    else for (const character of found) this.first[character.charCodeAt(0)] = 1;
    return this.first;
  }
}
