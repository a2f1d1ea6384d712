import { byModule } from '../scenario.ts';

export default byModule(
  'uaf',
  'calls through a pointer in freed, overwritten memory',
  /unable to handle (?:page fault|kernel paging)/i,
  {
    kind: 'bad-page-fault',
  },
);
