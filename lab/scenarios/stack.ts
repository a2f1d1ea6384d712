import { byModule } from '../scenario.ts';

export default byModule(
  'stack',
  'recurses into the guard page of its stack',
  /stack guard page was hit|kernel stack overflow|BUG: TASK stack/,
  { kind: 'stack-overflow', at: 'perish_descend' },
);
