import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { type DebuginfodConfig, debuginfodConfig, fetchDebugInfo } from '../../../src/debuginfo/files/debuginfod.ts';
import { tempDirectory } from '../../support/dump_writers/temp_files.ts';

/** A server on loopback, in a process of its own, since the client waits. */
const server = `
const answers = { '/buildid/00112233/debuginfo': 'the debug information', '/buildid/44556677/debuginfo': 'x'.repeat(5000) };
require('node:http').createServer((request, response) => {
  const body = answers[request.url];
  if (request.url.startsWith('/buildid/deadbeef')) { response.statusCode = 500; response.end(); return; }
  if (request.url.startsWith('/buildid/0badc0de')) {
    response.setHeader('content-length', 1000);
    response.write('cut short');
    setTimeout(() => response.destroy(), 20);
    return;
  }
  if (body === undefined) { response.statusCode = 404; response.end(); return; }
  response.setHeader('content-length', body.length);
  response.end(body);
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

async function serve(t: TestContext): Promise<DebuginfodConfig> {
  const child = spawn(process.execPath, ['-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const port = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data).trim())),
  );
  return { urls: [`http://127.0.0.1:${port}`], cache: tempDirectory(t), timeout: 10, maxTime: 10, maxSize: 1000 };
}

const quiet = (): void => {};

test('no servers, and no build-id', (t) => {
  assert.throws(() => debuginfodConfig({}), UsageError);
  assert.throws(() => debuginfodConfig({ DEBUGINFOD_URLS: 'file:///etc ftp://x' }), UsageError);
  const config = { urls: ['http://127.0.0.1:1'], cache: tempDirectory(t), timeout: 1, maxTime: 1, maxSize: 0 };
  assert.deepEqual(fetchDebugInfo(config, '../../etc/passwd', quiet), { problem: 'no build-id' });
  const refused = fetchDebugInfo(config, '00112233', quiet);
  assert.ok('problem' in refused && refused.problem.includes('http://127.0.0.1:1'));
});

test('what the environment says', () => {
  const config = debuginfodConfig({
    DEBUGINFOD_URLS: ' https://a.example/  http://b.example',
    DEBUGINFOD_CACHE_PATH: '/cache',
    DEBUGINFOD_TIMEOUT: '7',
    DEBUGINFOD_MAXSIZE: '100',
  });
  assert.deepEqual(config, {
    urls: ['https://a.example/', 'http://b.example'],
    cache: '/cache',
    timeout: 7,
    maxTime: 0,
    maxSize: 100,
  });
  const home = debuginfodConfig({ DEBUGINFOD_URLS: 'http://b.example', HOME: '/nowhere', XDG_CACHE_HOME: '/xdg' });
  assert.equal(home.cache, '/xdg/debuginfod_client');
});

test('what is not there, too large, cut short or refused leaves nothing behind', async (t) => {
  const config = await serve(t);
  assert.deepEqual(fetchDebugInfo(config, 'ffffffff', quiet), { problem: 'no server has it' });
  for (const [id, message] of [
    ['44556677', /5000 bytes, more than 1000/],
    ['deadbeef', /answers 500/],
    ['0badc0de', /./],
  ] as const) {
    const fetched = fetchDebugInfo(config, id, quiet);
    assert.ok('problem' in fetched && message.test(fetched.problem), JSON.stringify(fetched));
    assert.throws(() => statSync(join(config.cache, id, 'debuginfo')));
  }
});

test('what a server has is kept where the client of debuginfod keeps it, and asked for once', async (t) => {
  const config = await serve(t);
  let asked = 0;
  const tell = (): void => {
    asked++;
  };
  const fetched = fetchDebugInfo({ ...config, urls: ['http://127.0.0.1:1', ...config.urls] }, '00112233', tell);
  assert.deepEqual(fetched, { path: join(config.cache, '00112233', 'debuginfo') });
  assert.equal(readFileSync(join(config.cache, '00112233', 'debuginfo'), 'utf8'), 'the debug information');
  assert.deepEqual(fetchDebugInfo({ ...config, urls: ['http://127.0.0.1:1'] }, '00112233', tell), fetched);
  assert.equal(asked, 1);
});
