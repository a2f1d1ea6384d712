import { byModule } from '../scenario.ts';

export default byModule('list', 'deletes from a corrupted list', /list_del corruption/, {
  kind: 'list-corruption',
  at: 'way_list',
});
