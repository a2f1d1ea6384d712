// The receiver's counts for Prometheus, and whether it is well, on a loopback port.
import { createServer, type Server } from 'node:http';
import type { ReceiverCounts } from './receiver.ts';

export interface Health {
  readonly counts: ReceiverCounts;
  /** Packets that the kernel dropped before they reached us; null: it does not say. */
  readonly dropped: number | null;
  /** Incidents whose command has not ended well yet. */
  readonly alertsWaiting: number;
  /** Sentences on what is wrong; empty: all is well. */
  readonly troubles: readonly string[];
}

const help: readonly (readonly [keyof ReceiverCounts, string, 'counter' | 'gauge'])[] = [
  ['packets', 'Packets received.', 'counter'],
  ['bytes', 'Bytes received.', 'counter'],
  ['records', 'Kernel messages received.', 'counter'],
  ['missing', 'Messages missing by their sequence numbers.', 'counter'],
  ['duplicates', 'Messages that came more than once.', 'counter'],
  ['reordered', 'Messages that came after a later one.', 'counter'],
  ['incomplete', 'Messages of which a fragment did not come.', 'counter'],
  ['hosts', 'Sources that sent something.', 'gauge'],
  ['incidents', 'Incidents found.', 'counter'],
  ['refused', 'Packets of sources that are not allowed or too many.', 'counter'],
  ['limited', 'Packets of sources that sent too much.', 'counter'],
  ['unwritten', 'Messages that could not be written.', 'counter'],
];

/** The text format of Prometheus. */
export function metricsText({ counts, dropped, alertsWaiting }: Health): string {
  const lines: string[] = [];
  const add = (name: string, text: string, type: string, value: number): void => {
    lines.push(`# HELP inquest_${name} ${text}`, `# TYPE inquest_${name} ${type}`, `inquest_${name} ${value}`);
  };
  for (const [key, text, type] of help) add(type === 'counter' ? `${key}_total` : key, text, type, counts[key]);
  if (dropped !== null)
    add('dropped_total', 'Packets that the kernel dropped before they were read.', 'counter', dropped);
  add('alerts_waiting', 'Incidents whose command has not ended well yet.', 'gauge', alertsWaiting);
  return `${lines.join('\n')}\n`;
}

/** Serves /metrics and /health on 127.0.0.1. */
export function serveMetrics(port: number, health: () => Health): Server {
  const server = createServer((request, response) => {
    const now = health();
    if (request.url === '/metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
      response.end(metricsText(now));
    } else if (request.url === '/health') {
      const well = now.troubles.length === 0;
      response.writeHead(well ? 200 : 503, { 'content-type': 'text/plain' });
      response.end(well ? 'ok\n' : `${now.troubles.join('\n')}\n`);
    } else {
      response.writeHead(404);
      response.end();
    }
  });
  server.listen(port, '127.0.0.1');
  return server;
}
