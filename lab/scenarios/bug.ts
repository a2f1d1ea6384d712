import { byModule } from '../scenario.ts';

export default byModule('bug', 'BUG_ON', /kernel BUG at/, { kind: 'BUG', at: 'way_bug' });
