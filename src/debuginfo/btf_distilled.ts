// Distilled base BTF: what a module carries (`.BTF.base`, 6.11 and newer) so that its own BTF outlives
// changes to the kernel's. It names, with their sizes, the kernel types that the module refers to; each is
// looked up again in the BTF of the kernel that runs. Source: tools/lib/bpf/btf_relocate.c of the kernel.
import { BtfTypes, type BtfVariable, type Candidate } from './btf.ts';
import { type FunctionType, sizeOf, type Type, typeName } from './type.ts';

/** Use as the base of a module's `BtfTypes`. */
export class DistilledBase extends BtfTypes {
  private readonly kernel: BtfTypes;
  private readonly matched = new Map<number, Type>();

  /**
   * @param bytes the module's `.BTF.base` (`btf_base_data` of `struct module`)
   * @throws FormatError as `BtfTypes`
   */
  constructor(bytes: Uint8Array, kernel: BtfTypes) {
    super(bytes);
    this.kernel = kernel;
  }

  /** The kernel's type of the same name and size; where it has none, the distilled type, which has no members. */
  override typeById(id: number): Type {
    const known = this.matched.get(id);
    if (known !== undefined) return known;
    const own = super.typeById(id);
    const type = this.match(own) ?? own;
    this.matched.set(id, type);
    return type;
  }

  private match(own: Type): Type | null {
    switch (own.kind) {
      case 'struct':
      case 'union':
      case 'enum':
      case 'int':
      case 'float': {
        if (own.name === '') return null;
        const wanted = sizeOf(own);
        // An embedded type's size was checked when the module was built; a mere name comes with size 0.
        const all = this.kernel.findAll(typeName(own));
        return all.find((type) => type.kind === own.kind && (wanted === 0 || sizeOf(type) === wanted)) ?? null;
      }
      case 'incomplete':
        return this.kernel.find(`${own.tag} ${own.name}`);
      default:
        return null;
    }
  }

  override all(): Iterable<Type> {
    return this.kernel.all();
  }

  override functionType(name: string): FunctionType | null {
    return this.kernel.functionType(name);
  }

  override variable(name: string): BtfVariable | null {
    return this.kernel.variable(name);
  }

  override variables(): Iterable<BtfVariable> {
    return this.kernel.variables();
  }

  override candidates(wanted: string): Candidate[] {
    return this.kernel.candidates(wanted);
  }
}
