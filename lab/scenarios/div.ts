import { byModule } from '../scenario.ts';

export default byModule('div', 'divides by zero', /divide error/);
