// Names looked up in all debug information of one kernel: in the kernel's own list, then in its modules'. Each name is
// looked up once, those that nobody knows too.
import type { Macro } from './c_macro.ts';
import type { DebugInfo } from './debug_info.ts';
import type { FunctionType, Type, TypeSource } from './type.ts';

/** The debug information of one module, best first. */
export interface ModuleDebugInfo {
  readonly module: string;
  readonly infos: readonly DebugInfo[];
}

export class DebugNames implements TypeSource {
  private readonly own: readonly DebugInfo[];
  private readonly modules: () => readonly ModuleDebugInfo[];
  private readonly types = new Map<string, Type | null>();
  private readonly variables = new Map<string, Type | null>();
  private readonly functions = new Map<string, FunctionType | null>();
  private readonly macros = new Map<string, Macro | null>();
  private inside = false;

  /**
   * @param own the kernel's, best first
   * @param modules reads the modules', asked once the kernel's own lack a name
   */
  constructor(own: readonly DebugInfo[], modules: () => readonly ModuleDebugInfo[]) {
    this.own = own;
    this.modules = modules;
  }

  /** The kernel's type of that name; a type that only modules define is found in theirs. */
  find(name: string): Type | null {
    return this.once(this.types, name, () => {
      let declared: Type | null = null;
      for (const { types } of this.own) {
        const type = types.find(name);
        if (type !== null && type.kind !== 'incomplete') return type;
        declared ??= type;
      }
      return this.inModules(({ types }) => complete(types.find(name))) ?? declared;
    });
  }

  *all(): Iterable<Type> {
    for (const { types } of this.own) yield* types.all();
    for (const { infos } of this.modules()) for (const { types } of infos) yield* types.all();
  }

  /** C type of a variable. @param module the module whose own it is; null for the kernel's */
  variable(name: string, module: string | null): Type | null {
    return this.once(this.variables, module === null ? name : `${module}:${name}`, () =>
      module === null
        ? firstOf(this.own, (info) => info.variable(name))
        : this.inModules((info) => complete(info.variable(name)), module),
    );
  }

  /** Prototype of a function of the kernel or else of a module. */
  function(name: string): FunctionType | null {
    return this.once(
      this.functions,
      name,
      () => firstOf(this.own, (info) => info.function(name)) ?? this.inModules((info) => info.function(name)),
    );
  }

  /** What a name was defined as, by the kernel or else by a module. */
  macro(name: string): Macro | null {
    return this.once(
      this.macros,
      name,
      () => firstOf(this.own, (info) => info.macro(name)) ?? this.inModules((info) => info.macro(name)),
    );
  }

  private inModules<T>(look: (info: DebugInfo) => T | null, only: string | null = null): T | null {
    if (this.inside) return null; // reading the modules asks for types, too: those are the kernel's own
    this.inside = true;
    try {
      for (const { module, infos } of this.modules()) {
        const found = only === null || only === module ? firstOf(infos, look) : null;
        if (found !== null) return found;
      }
      return null;
    } finally {
      this.inside = false;
    }
  }

  private once<T>(known: Map<string, T | null>, name: string, look: () => T | null): T | null {
    let found = known.get(name);
    if (found === undefined) {
      found = look();
      // what is not found while modules are read may be found in them
      if (found !== null || !this.inside) known.set(name, found);
    }
    return found;
  }
}

function firstOf<T>(infos: readonly DebugInfo[], look: (info: DebugInfo) => T | null): T | null {
  for (const info of infos) {
    const found = look(info);
    if (found !== null) return found;
  }
  return null;
}

function complete(type: Type | null): Type | null {
  return type?.kind === 'incomplete' ? null : type;
}
