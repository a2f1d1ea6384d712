// What is wrong in the files of the kdump that is there.
import type { Host } from '../host.ts';
import { type Finding, finding, type Question } from './finding.ts';

const question: Question = {
  id: 'configuration',
  why: 'a setting that is not understood does nothing, or keeps the service from starting',
};
const off: Question = { id: 'configuration-on', why: 'the service starts, and loads nothing', decides: true };

export function configurationChecks({ service }: Host): Finding[] {
  if (service === null) return [];
  const { files, isOn } = service.configuration;
  const found = files.flatMap(({ path, remarks }) =>
    remarks.map(({ severity, line, text }) =>
      finding(
        question,
        service.family === 'kdump-utils' && severity === 'error' ? 'failed' : 'warning',
        `${path}${line === null ? '' : `:${line}`}: ${text}`,
        `correct ${path}`,
      ),
    ),
  );
  if (!isOn)
    found.push(finding(off, 'failed', `${files[0]!.path} switches kdump off`, `set USE_KDUMP=1 in ${files[0]!.path}`));
  return found.length > 0
    ? found
    : [finding(question, 'ok', `${files.map(({ path }) => path).join(' and ')}: every setting is known`)];
}
