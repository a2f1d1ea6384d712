// A target that takes uploads over HTTPS, resumable: tus 1.0.0 (https://tus.io/protocols/resumable-upload). A piece stays in
// memory until the server has confirmed it, so a connection that breaks costs that piece, and not the dump.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Readable } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import { targetText } from '../config/capture_config.ts';
import type { PlannedTarget } from '../initramfs/capture_plan.ts';
import { type CrashName, type StreamTarget, sharedName, TargetError } from './open_target.ts';

/** Bytes sent in one request. */
const pieceSize = 4 << 20;
/** Tries of one request, and seconds between them. */
const tries = 6;
const pause = 2;

/** @throws TargetError where a file that it needs is not there, and where nothing answers */
export async function openHttps(planned: PlannedTarget, crash: CrashName, seconds: number): Promise<StreamTarget> {
  const { target } = planned;
  if (target.kind !== 'https') throw new TargetError('not a target over HTTPS');
  const name = targetText(target);
  let token: string | null;
  let ca: Buffer | undefined;
  try {
    token = target.tokenFile === null ? null : readFileSync(target.tokenFile, 'utf8').trim();
    ca = target.caFile === null ? undefined : readFileSync(target.caFile);
  } catch (error) {
    throw new TargetError(`${name}: ${messageOf(error)}`);
  }
  /** What is left to send of a stream that is over. */
  const lasts = new Map<string, { readonly url: string; readonly at: number; readonly piece: Buffer }>();
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const call = async (
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    body: Buffer | null,
  ): Promise<IncomingMessage> => {
    const all = { 'tus-resumable': '1.0.0', ...authorization, ...headers, 'content-length': String(body?.length ?? 0) };
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method, headers: all, ...(ca === undefined ? {} : { ca }), timeout: seconds * 1000 },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response));
          response.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer in ${seconds} s`)));
      sent.on('error', reject);
      sent.end(body ?? undefined);
    });
  };
  /** Makes an upload. @param length null where it is not known before */
  const create = async (file: string, length: number | null): Promise<string> => {
    const metadata = `filename ${Buffer.from(`${sharedName(crash)}/${file}`).toString('base64')}`;
    const size: Record<string, string> =
      length === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) };
    const response = await again(() => call('POST', target.url, { 'upload-metadata': metadata, ...size }, null));
    const place = response.headers.location;
    if (response.statusCode !== 201 || place === undefined)
      throw new TargetError(`${name}: ${file}: the server answered ${response.statusCode}`);
    const url = new URL(place, target.url);
    // the token must not go to another host
    if (url.origin !== new URL(target.url).origin)
      throw new TargetError(`${name}: the server names another one, ${url.origin}`);
    return url.href;
  };
  /** Sends a piece, from where the server says it has come to. @returns the offset behind it */
  const patch = async (
    file: string,
    url: string,
    start: number,
    piece: Buffer,
    whole: number | null,
  ): Promise<number> => {
    let from = start;
    let problem = '';
    for (let turn = 0; turn < tries; turn++) {
      try {
        if (turn > 0) {
          await sleep(pause * turn);
          const head = await call('HEAD', url, {}, null);
          const has = Number(head.headers['upload-offset']);
          if (!Number.isInteger(has) || has < start || has > start + piece.length)
            throw new TargetError(`${name}: ${file}: the server lost what it had (${head.statusCode})`);
          from = has;
          if (has === start + piece.length && whole === null) return has;
        }
        const headers = {
          'content-type': 'application/offset+octet-stream',
          'upload-offset': String(from),
          ...(whole === null ? {} : { 'upload-length': String(whole) }),
        };
        const response = await call('PATCH', url, headers, piece.subarray(from - start));
        if (response.statusCode === 204) return start + piece.length;
        problem = `the server answered ${response.statusCode}`;
        if (response.statusCode === 401 || response.statusCode === 403 || response.statusCode === 413) break;
      } catch (error) {
        if (error instanceof TargetError) throw error;
        problem = messageOf(error);
      }
    }
    throw new TargetError(`${name}: ${file}: ${problem}`);
  };
  const again = async (work: () => Promise<IncomingMessage>): Promise<IncomingMessage> => {
    for (let turn = 1; ; turn++) {
      try {
        return await work();
      } catch (error) {
        if (turn === tries) throw new TargetError(`${name}: ${messageOf(error)}`);
        await sleep(pause * turn);
      }
    }
  };
  // whatever it answers: what cannot be reached now is not tried again at every step
  await again(() => call('OPTIONS', target.url, {}, null));
  return {
    kind: 'stream',
    name,
    async put(file, bytes) {
      const url = await create(file, bytes.length);
      for (let at = 0; at < bytes.length; ) at = await patch(file, url, at, bytes.subarray(at, at + pieceSize), null);
    },
    async send(file, from: Readable) {
      const url = await create(file, null);
      let at = 0;
      let held: Buffer[] = [];
      let size = 0;
      for await (const chunk of from as AsyncIterable<Buffer>) {
        held.push(chunk);
        size += chunk.length;
        if (size < pieceSize) continue;
        at = await patch(file, url, at, Buffer.concat(held), null);
        held = [];
        size = 0;
      }
      // only now is the length known, and the upload whole
      lasts.set(file, { url, at, piece: Buffer.concat(held) });
    },
    async finish(file) {
      const last = lasts.get(file);
      lasts.delete(file);
      if (last !== undefined) await patch(file, last.url, last.at, last.piece, last.at + last.piece.length);
    },
    async close() {},
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
