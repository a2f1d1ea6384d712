import { byModule } from '../scenario.ts';

export default byModule('panic', 'calls panic()', /perish: asked to panic, code 7/, { kind: 'panic', at: 'way_panic' });
