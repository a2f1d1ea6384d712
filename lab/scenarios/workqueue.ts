import { byModule } from '../scenario.ts';

export default byModule('workqueue', 'reads through a NULL pointer in a work item', /kernel NULL pointer dereference/, {
  kind: 'null-pointer',
  at: 'perish_sum',
});
