// The types of one dump: the kernel's BTF with the modules' split BTF behind it.
import type { BtfTypes } from '../debuginfo/btf.ts';
import type { Type, TypeSource } from '../debuginfo/type.ts';

export class SessionTypes implements TypeSource {
  readonly base: BtfTypes | null;
  private readonly found = new Map<string, Type | null>();
  private inside = false;
  private readonly modules: () => readonly BtfTypes[];

  /** @param modules reads the modules' types, asked once the kernel's own types lack a name */
  constructor(base: BtfTypes | null, modules: () => readonly BtfTypes[]) {
    this.base = base;
    this.modules = modules;
  }

  find(name: string): Type | null {
    let type = this.found.get(name);
    if (type === undefined) {
      type = this.base?.find(name) ?? null;
      if (type === null || type.kind === 'incomplete') type = this.inModules((types) => types.find(name)) ?? type;
      this.found.set(name, type);
    }
    return type;
  }

  *all(): Iterable<Type> {
    if (this.base !== null) yield* this.base.all();
    for (const types of this.modules()) yield* types.own();
  }

  /** Type of a kernel variable that BTF describes (per-CPU ones; all on newer kernels), or null. */
  variable(name: string): Type | null {
    return this.base?.variable(name)?.type ?? null;
  }

  /** As `variable`, for a module's own variables. */
  moduleVariable(name: string): Type | null {
    return this.inModules((types) => types.variable(name)?.type ?? null);
  }

  /** Prototype of a function of the kernel or of a module, or null. */
  functionType(name: string): Type | null {
    return this.base?.functionType(name) ?? this.inModules((types) => types.functionType(name));
  }

  private inModules(look: (types: BtfTypes) => Type | null): Type | null {
    if (this.inside) return null; // reading the modules asks for types, too: those are the kernel's own
    this.inside = true;
    try {
      for (const types of this.modules()) {
        const found = look(types);
        if (found !== null && found.kind !== 'incomplete') return found;
      }
      return null;
    } finally {
      this.inside = false;
    }
  }
}
