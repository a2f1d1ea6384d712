// Output that is longer than the screen goes through a pager; what fits does not.
import type { Sink } from '../commands/run.ts';
import type { ShellPipe } from './pipe.ts';

/** The pager's command line by the variable `scroll`. `less` leaves short output on the screen, and is left by its end. */
export function pagerCommand(scroll: string): string {
  switch (scroll) {
    case 'more':
      return 'more';
    case 'CRASHPAGER':
      return process.env['CRASHPAGER'] ?? 'less -E -X';
    default:
      return 'less -E -X';
  }
}

export class PagedSink implements Sink {
  private readonly screen: Sink;
  private readonly startPager: () => ShellPipe;
  private readonly rows: number;
  private held = '';
  private lines = 0;
  private pipe: ShellPipe | null = null;

  /** @param screen where output goes that fits @param rows lines of the screen */
  constructor(screen: Sink, startPager: () => ShellPipe, rows: number) {
    this.screen = screen;
    this.startPager = startPager;
    this.rows = rows;
  }

  write(text: string): boolean {
    if (this.pipe !== null) return this.pipe.write(text);
    this.held += text;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.lines++;
    if (this.lines < this.rows - 1) return true;
    this.pipe = this.startPager();
    const { held } = this;
    this.held = '';
    return this.pipe.write(held);
  }

  /** Shows what was held back, or waits until the reader has left the pager. */
  async close(): Promise<void> {
    if (this.pipe !== null) await this.pipe.close();
    else if (this.held !== '') this.screen.write(this.held);
  }
}
