import { byModule } from '../scenario.ts';

export default byModule(
  'gpf',
  'reads a non-canonical address',
  /general protection fault|unable to handle kernel paging/i,
  {
    kind: ['general-protection', 'bad-page-fault'], // x86_64; arm64
    at: 'way_gpf',
  },
);
