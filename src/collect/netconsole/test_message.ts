// The message by which a sending machine tests its netconsole: the receiver sends the mark back to where it came from. An
// answer is shorter than the question, and goes to its source address alone.

export interface TestMessage {
  readonly mark: string;
  readonly port: number;
}

export function testMessageText({ mark, port }: TestMessage): string {
  return `inquest: netconsole test ${mark}, answer to port ${port}`;
}

/** Null: it is another message. */
export function readTestMessage(text: string): TestMessage | null {
  if (!text.startsWith('inquest: ')) return null;
  const m = /^inquest: netconsole test ([0-9a-f]{16}), answer to port (\d{1,5})$/.exec(text);
  const port = Number(m?.[2]);
  return m === null || port < 1024 || port > 65535 ? null : { mark: m[1]!, port };
}
