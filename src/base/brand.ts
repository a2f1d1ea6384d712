// Branded primitives: a number that knows what it counts, at no cost when it runs.

declare const brand: unique symbol;

/** `T` that cannot be mixed with another brand, nor made from a plain `T` without a cast. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
