// What a check found.

export interface Finding {
  /** Stable: monitoring may name it. */
  readonly id: string;
  /** `failed`: the next panic is not captured. `warning`: it may not be, or something is lost. `info`: good to know. */
  readonly state: 'ok' | 'info' | 'warning' | 'failed' | 'unknown';
  readonly found: string;
  readonly why: string;
  /** A command, or what to change; null where nothing is to be done. */
  readonly mend: string | null;
  /** Whether a panic is captured depends on it: if it is unknown, so is that. */
  readonly decides: boolean;
}

/** What is asked, and why it matters: the same whatever is found. */
export interface Question {
  readonly id: string;
  readonly why: string;
  readonly decides?: boolean;
}

export function finding(
  question: Question,
  state: Finding['state'],
  found: string,
  mend: string | null = null,
): Finding {
  return { id: question.id, state, found, why: question.why, mend, decides: question.decides ?? false };
}

/** `216 MiB`, `1.5 GiB`. */
export function sizeText(bytes: number): string {
  const mib = bytes / 1024 / 1024;
  return mib >= 10240
    ? `${(mib / 1024).toFixed(1)} GiB`
    : mib >= 1 || bytes === 0
      ? `${Math.round(mib)} MiB`
      : `${Math.ceil(bytes / 1024)} KiB`;
}
