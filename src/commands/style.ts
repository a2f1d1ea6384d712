// How a session shows what commands say.

export interface Style {
  /** Radix of values where neither `-x` nor `-d` says one: `set radix`. */
  readonly radix: 10 | 16;
}
