import { byModule } from '../scenario.ts';

export default byModule(
  'gpf',
  'reads a non-canonical address',
  /general protection fault|unable to handle kernel paging/i,
  {
    kind: 'general-protection',
    at: 'way_gpf',
  },
);
