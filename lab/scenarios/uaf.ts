import { byModule } from '../scenario.ts';

export default byModule('uaf', 'calls through a pointer in freed, overwritten memory', /unable to handle page fault/, {
  kind: 'bad-page-fault',
});
