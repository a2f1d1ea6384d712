# Values of drgn as JSON, in the shape of inquest's. Put before the scripts beside it.
import json
import sys

from drgn import TypeKind

plain = {TypeKind.INT, TypeKind.BOOL, TypeKind.POINTER}


def value_of(thing):
    type_ = thing.type_
    while type_.kind == TypeKind.TYPEDEF:
        type_ = type_.type
    if type_.kind in plain:
        return str(int(thing.value_()))
    if type_.kind == TypeKind.ENUM:
        number = thing.value_()
        names = [one.name for one in type_.enumerators or [] if one.value == number]
        return {"enum": names, "value": str(number)}
    if type_.kind in (TypeKind.STRUCT, TypeKind.UNION):
        members = {}
        for member in type_.members or []:
            if member.name is not None:
                members[member.name] = value_of(thing.member_(member.name))
            else:
                for inner in member.type.members or []:
                    if inner.name is not None:
                        members[inner.name] = value_of(thing.member_(inner.name))
        return members
    if type_.kind == TypeKind.ARRAY:
        return [value_of(thing[i]) for i in range(min(type_.length or 0, 64))]
    return None
