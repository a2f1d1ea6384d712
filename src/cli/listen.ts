// `inquest listen`: netconsole packets and serial logs as they come, and what is wrong in them.
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { escapeJson, escapeLogLine } from '../base/text.ts';
import type { IncidentAlert } from '../collect/netconsole/alerts.ts';
import { Listener, type ListenOptions } from '../collect/netconsole/listener.ts';
import { networkList } from '../collect/netconsole/thread.ts';
import { writeError, writeOut } from './output.ts';

/**
 * Packets are small garbage, at once: collecting it by several threads costs a busy machine a third more than one does, in
 * processor time (`node bench/netconsole.ts`).
 */
function collectGarbageAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
  setFlagsFromString('--no-concurrent-array-buffer-sweeping');
}

/** Runs until a signal ends it. @returns the exit status @throws whatever ended a thread of it */
export async function runListen(options: ListenOptions, json: boolean): Promise<number> {
  networkList(options.networks); // told here, where an error is still what it was
  collectGarbageAlone();
  const listener = await Listener.start(options, {
    incident: (alert) => writeOut(json ? `${escapeJson(JSON.stringify(alert))}\n` : alertText(alert)),
    trouble: (sentence) => writeError(`inquest: ${escapeLogLine(sentence)}\n`),
  });
  const { ports, addresses } = options.sockets;
  const follows = options.follow.length > 0 ? ` following ${options.follow.join(', ')}` : '';
  writeError(
    `inquest: ${ports.length > 0 ? `listening on ${addresses.join(', ')} port ${ports.join(', ')}, writing to ${options.directory}` : ''}${follows}\n`,
  );
  // a thread that failed ends the program, so that whatever runs it starts it anew
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT'), listener.failed]);
  await listener.end();
  return 0;
}

function alertText({ host, file, received, incident }: IncidentAlert): string {
  const { fatal, severity, title } = incident;
  return `${escapeLogLine(`${new Date(received).toISOString()} ${host}: ${fatal ? 'died' : severity}: ${title} (${file})`)}\n`;
}
