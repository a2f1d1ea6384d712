import { byModule } from '../scenario.ts';

export default byModule(
  'warn',
  'WARN with panic_on_warn',
  /panic_on_warn set/,
  { kind: 'WARN', at: 'way_warn' },
  {
    sysctl: { 'kernel.panic_on_warn': 1 },
  },
);
