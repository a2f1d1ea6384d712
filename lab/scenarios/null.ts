import { byModule } from '../scenario.ts';

export default byModule('null', 'reads through a NULL pointer, two calls deep', /kernel NULL pointer dereference/, {
  kind: 'null-pointer',
  at: 'perish_sum',
});
