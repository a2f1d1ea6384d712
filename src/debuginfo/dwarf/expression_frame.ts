// What an expression asks of the frame that it is about.

/** What an expression may ask of the frame that it is about. */
export interface ExpressionFrame {
  /** A register by DWARF's number; null where it is not known. */
  register(number: number): bigint | null;
  /** Its name, for messages. */
  registerName(number: number): string;
  /** Canonical frame address; null where not known. */
  cfa(): bigint | null;
  /** The function's frame base (DW_AT_frame_base); null where not known. */
  frameBase(): bigint | null;
  /** @throws MemoryFault */
  read(address: bigint, size: number): Uint8Array;
  /** What an expression had for a value when the function was entered; null where not known. */
  entryValue(expression: Uint8Array): bigint | null;
  /** An address of the file as one of the dead kernel. */
  address(linked: bigint): bigint;
  /** An address by its number in the unit's table; null without. */
  indexedAddress(index: number): bigint | null;
  /** Size and sign of an integer type by its offset in the unit; null for what is no integer. */
  integerType(offset: number): IntegerKind | null;
  /** The expression of another entry (DW_OP_call*), by its offset in the unit; null for none. */
  called(offset: number): Uint8Array | null;
}

export interface IntegerKind {
  /** Bytes. */
  readonly size: number;
  readonly signed: boolean;
}

export interface ExpressionWidths {
  readonly addressSize: number;
  readonly offsetSize: number;
}
