import { byModule } from '../scenario.ts';

export default byModule('warn', 'WARN with panic_on_warn', /panic_on_warn set/, {
  sysctl: { 'kernel.panic_on_warn': 1 },
});
