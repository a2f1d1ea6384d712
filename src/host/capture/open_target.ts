// A target, reached: what may be done with it, whatever it is.
import type { Readable } from 'node:stream';
import { InquestError } from '../../base/errors.ts';

/** A target that cannot be reached, or does not take what it is given. */
export class TargetError extends InquestError {
  readonly code = 'target';
}

interface Reached {
  /** As it is named on the console and in the record. */
  readonly name: string;
  /** Writes a small file, whole or not at all. @throws TargetError */
  put(name: string, bytes: Buffer): Promise<void>;
  /** Makes everything last, and lets go. @throws TargetError */
  close(): Promise<void>;
}

/** A folder, in which programs write by themselves. */
export interface FolderTarget extends Reached {
  readonly kind: 'folder';
  readonly folder: string;
}

/** A place that takes streams. */
export interface StreamTarget extends Reached {
  readonly kind: 'stream';
  /** Sends a file of a size that is not known before, as an incomplete one. @throws TargetError where it did not arrive */
  send(name: string, from: Readable, seconds: number): Promise<void>;
  /** What was sent is whole: whoever made the stream has ended well. @throws TargetError */
  finish(name: string): Promise<void>;
}

export type OpenTarget = FolderTarget | StreamTarget;

/** What targets are told of the crash. */
export interface CrashName {
  /** `2026-11-21-194500`, in UTC. */
  readonly stamp: string;
  readonly hostname: string;
}

/** Name of a crash's folder where several machines save to. */
export function sharedName({ stamp, hostname }: CrashName): string {
  return `${hostname.replace(/[^\w.-]/g, '_').slice(0, 64)}-${stamp}`;
}
