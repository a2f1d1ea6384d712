// Fetches debug information by build-id from the servers of DEBUGINFOD_URLS, and keeps it where debuginfod's own client
// keeps it, so that either finds what the other has fetched (debuginfod_find_debuginfo(3), debuginfod-client-config(7)).
// The caller waits: the download runs in a process of its own, which shows its progress on standard error.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../base/errors.ts';

/** What the client is told by its environment. */
export interface DebuginfodConfig {
  readonly urls: readonly string[];
  readonly cache: string;
  /** A server that sends less than 100 KB in so many seconds is given up. */
  readonly timeout: number;
  /** Most seconds of one download; 0 for no limit. */
  readonly maxTime: number;
  /** Largest file that is fetched, in bytes; 0 for no limit. */
  readonly maxSize: number;
}

/** Without a limit of the user's own: larger than any kernel's, smaller than a disk. */
const defaultMaxSize = 8 * 1024 ** 3;

/** @throws UsageError where no servers are named */
export function debuginfodConfig(environment: Readonly<Record<string, string | undefined>>): DebuginfodConfig {
  const urls = (environment['DEBUGINFOD_URLS'] ?? '').split(/\s+/).filter((url) => /^https?:\/\//.test(url));
  if (urls.length === 0) throw new UsageError('--debuginfod: no server is named in DEBUGINFOD_URLS');
  return {
    urls,
    cache: cachePath(environment),
    timeout: number(environment['DEBUGINFOD_TIMEOUT'], 90),
    maxTime: number(environment['DEBUGINFOD_MAXTIME'], 0),
    maxSize: number(environment['DEBUGINFOD_MAXSIZE'], defaultMaxSize),
  };
}

function number(text: string | undefined, fallback: number): number {
  const value = Number(text);
  return text === undefined || text === '' || !Number.isFinite(value) || value < 0 ? fallback : value;
}

function cachePath(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment['DEBUGINFOD_CACHE_PATH'];
  if (named !== undefined && named !== '') return named;
  const home = environment['HOME'] ?? homedir();
  const old = join(home, '.debuginfod_client_cache');
  if (existsSync(old)) return old;
  const base = environment['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(home, '.cache') : base, 'debuginfod_client');
}

/** Runs by itself: fetches from the first server that has it into a file, and says how far it is. */
const downloader = `
const { createWriteStream, renameSync, rmSync } = require('node:fs');
const { urls, id, path, timeout, maxTime, maxSize, progress } = JSON.parse(process.argv[1]);
const part = path + '.' + process.pid;
const say = (text) => { if (progress) process.stderr.write('\\r\\x1b[K' + text); };
async function from(url) {
  const stop = new AbortController();
  const limit = maxTime > 0 ? setTimeout(() => stop.abort(new Error('takes longer than ' + maxTime + ' s')), maxTime * 1000) : null;
  let got = 0, before = 0;
  const watch = setInterval(() => {
    if (got - before < 100 * 1024) stop.abort(new Error('sends nothing, or hardly'));
    before = got;
  }, Math.max(1, timeout) * 1000);
  try {
    const answer = await fetch(url.replace(/\\/+$/, '') + '/buildid/' + id + '/debuginfo', { signal: stop.signal });
    if (answer.status === 404) return false;
    if (!answer.ok) throw new Error('answers ' + answer.status);
    const size = Number(answer.headers.get('content-length') ?? answer.headers.get('x-debuginfod-size') ?? 0);
    if (maxSize > 0 && size > maxSize) throw new Error('has ' + size + ' bytes, more than ' + maxSize);
    const out = createWriteStream(part, { mode: 0o600, flags: 'wx' });
    for await (const piece of answer.body) {
      got += piece.length;
      if (maxSize > 0 && got > maxSize) throw new Error('has more than ' + maxSize + ' bytes');
      if (!out.write(piece)) await new Promise((go) => out.once('drain', go));
      say('inquest: ' + (got / 1048576).toFixed(1) + (size > 0 ? ' of ' + (size / 1048576).toFixed(1) : '') + ' MiB');
    }
    await new Promise((done, fail) => out.end((error) => (error ? fail(error) : done())));
    if (size > 0 && got < size) throw new Error('ended after ' + got + ' of ' + size + ' bytes');
    renameSync(part, path);
    return true;
  } finally {
    clearInterval(watch);
    clearTimeout(limit);
  }
}
(async () => {
  const problems = [];
  for (const url of urls) {
    try {
      if (await from(url)) { say(''); process.exit(0); }
    } catch (error) {
      rmSync(part, { force: true });
      problems.push(url + ': ' + (error.cause?.message ?? error.message));
    }
  }
  say('');
  process.stdout.write(problems.join('; '));
  process.exit(problems.length > 0 ? 1 : 3);
})();
`;

/** How long the process may run beyond its own limits, in seconds. */
const grace = 30;

/** The problem where servers answered, and none has it. */
export const notThere = 'no server has it';

export type Fetched = { readonly path: string } | { readonly problem: string };

/**
 * The debug information of a build-id, from the cache or from the first server that has it.
 * @param tell is told before servers are asked
 */
export function fetchDebugInfo(config: DebuginfodConfig, buildId: string, tell: (sentence: string) => void): Fetched {
  if (!/^[0-9a-f]{8,128}$/.test(buildId)) return { problem: 'no build-id' };
  const folder = join(config.cache, buildId);
  const path = join(folder, 'debuginfo');
  if (existsSync(path) && statSync(path).size > 0) return { path };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  tell(`asking ${config.urls.join(' ')} for the debug information with build-id ${buildId}`);
  const { urls, timeout, maxTime, maxSize } = config;
  const order = JSON.stringify({
    urls,
    id: buildId,
    path,
    timeout,
    maxTime,
    maxSize,
    progress: process.stderr.isTTY === true,
  });
  const { status, stdout } = spawnSync(process.execPath, ['-e', downloader, order], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    ...(maxTime > 0 ? { timeout: (maxTime * urls.length + grace) * 1000 } : {}),
  });
  if (status === 0) return { path };
  return { problem: status === 3 ? notThere : stdout.trim() || 'the download failed' };
}
