import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { openHttps } from '../../../src/host/capture/https_target.ts';
import { type StreamTarget, TargetError } from '../../../src/host/capture/open_target.ts';

// of a server that is nobody's: for localhost alone, until 2126
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+fw51Th+itvK3kG2
Q5JvPujUz4/0yFIBy1cJcrk4D2ahRANCAASqjklr2aE2Q7iFR+y4pQGm/5Eyof95
QKSATBg3zu0VdOsFGMYBkqUOz7sGVyFCqF8TN48XvyjsMEslQl0eEDVx
-----END PRIVATE KEY-----
`;
const certificate = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUUQDl6ynDi2Qby6E5mkxlbe1IJGcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIxMDAzMloYDzIxMjYxMDI4
MjEwMDMyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASqjklr2aE2Q7iFR+y4pQGm/5Eyof95QKSATBg3zu0VdOsFGMYBkqUO
z7sGVyFCqF8TN48XvyjsMEslQl0eEDVxo28wbTAdBgNVHQ4EFgQUfpE1zqXU36Rt
xk9X36lvufx57eYwHwYDVR0jBBgwFoAUfpE1zqXU36Rtxk9X36lvufx57eYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAN0d5o0Pp1mviEVLOzKKMjw3mFJ/TcxAfSQC7CBkKGx9AiEA
3AQhwCBum4J4H5t2J1EVnhkYiaMXHLbTnTxJebdRg38=
-----END CERTIFICATE-----
`;

const folder = mkdtempSync(join(tmpdir(), 'inquest-https-'));
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});
const ca = join(folder, 'ca.pem');
writeFileSync(ca, certificate);
const token = join(folder, 'token');
writeFileSync(token, 'secret\n');

interface Upload {
  readonly name: string;
  bytes: Buffer;
  length: number | null;
}

/** A tus server. @param breaks how many requests with data it cuts in the middle; @param location what it names as the upload's place */
async function tusServer(
  breaks: number,
  location: (path: string) => string = (path) => path,
): Promise<{ readonly url: string; readonly uploads: readonly Upload[] }> {
  const uploads: Upload[] = [];
  let cut = breaks;
  const server = createServer({ key, cert: certificate }, (request, response) => {
    const { method, headers } = request;
    if (method === 'OPTIONS') return void response.writeHead(204).end();
    if (headers.authorization !== 'Bearer secret') {
      response.writeHead(401).end();
      request.resume();
      return;
    }
    assert.equal(headers['tus-resumable'], '1.0.0');
    const upload = uploads[Number(request.url?.split('/').at(-1))];
    if (method === 'POST') {
      const name = Buffer.from(headers['upload-metadata']!.toString().split(' ')[1]!, 'base64').toString();
      const length = headers['upload-length'];
      uploads.push({ name, bytes: Buffer.alloc(0), length: length === undefined ? null : Number(length) });
      request.resume();
      response.writeHead(201, { location: location(`/files/${uploads.length - 1}`) }).end();
    } else if (method === 'HEAD') response.writeHead(200, { 'upload-offset': String(upload!.bytes.length) }).end();
    else {
      assert.equal(Number(headers['upload-offset']), upload!.bytes.length);
      if (headers['upload-length'] !== undefined) upload!.length = Number(headers['upload-length']);
      request.on('data', (chunk: Buffer) => {
        upload!.bytes = Buffer.concat([upload!.bytes, chunk]);
        if (cut > 0) {
          cut--;
          request.socket.destroy();
        }
      });
      request.on('error', () => undefined);
      request.on('end', () => response.writeHead(204, { 'upload-offset': String(upload!.bytes.length) }).end());
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `https://localhost:${(server.address() as AddressInfo).port}/files`, uploads };
}

function target(url: string, tokenFile = token): Promise<StreamTarget> {
  const planned = {
    target: { kind: 'https', url, tokenFile, caFile: ca },
    device: null,
    fstype: null,
    path: '/',
  } as const;
  return openHttps(planned, { stamp: '2026-11-21-194500', hostname: 'dead' }, 10);
}

/** 6 MiB that tell where they are from, in pieces that fit nothing. */
const content = Buffer.from(Uint8Array.from({ length: 6 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
function stream(): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += 70_001) yield content.subarray(at, at + 70_001);
    })(),
  );
}

test('small files and a stream of unknown length arrive whole, and are told apart', async () => {
  const { url, uploads } = await tusServer(0);
  const to = await target(url);
  await to.put('verdict.txt', Buffer.from('it died'));
  await to.send('vmcore.flat', stream(), 60);
  assert.equal(uploads[1]!.length, null, 'before the end nobody knows the length: it is incomplete');
  await to.finish('vmcore.flat');
  assert.deepEqual(
    uploads.map(({ name }) => name),
    ['dead-2026-11-21-194500/verdict.txt', 'dead-2026-11-21-194500/vmcore.flat'],
  );
  assert.equal(uploads[0]!.bytes.toString(), 'it died');
  assert.ok(uploads[1]!.bytes.equals(content));
  assert.equal(uploads[1]!.length, content.length);
});

test('a connection that breaks is taken up where the server has come to', async () => {
  const { url, uploads } = await tusServer(1);
  const to = await target(url);
  await to.send('vmcore.flat', stream(), 60);
  await to.finish('vmcore.flat');
  assert.ok(uploads[0]!.bytes.equals(content));
});

test('a wrong token is told at once; the token goes to no other host', async () => {
  const wrong = join(folder, 'wrong');
  writeFileSync(wrong, 'guess');
  const { url } = await tusServer(0);
  await assert.rejects((await target(url, wrong)).put('a', Buffer.from('x')), /answered 401/);
  const elsewhere = await tusServer(0, () => 'https://example.org/files/0');
  await assert.rejects((await target(elsewhere.url)).put('a', Buffer.from('x')), /names another one/);
});

test('a token file that is not there is told', async () => {
  await assert.rejects(target('https://localhost/', join(folder, 'none')), /none/);
});

test('a server that is not there is told before anything is sent', async () => {
  const { url } = await tusServer(0);
  const gone = servers.pop()!;
  gone.closeAllConnections();
  await new Promise((resolve) => gone.close(resolve));
  await assert.rejects(target(url), TargetError);
});
