"""Pickles that somebody else may have made: gone through before they are read, without making anything of them.

torch reads pickles that way too, as far as it calls nothing. But a few dozen bytes make a tuple that holds the one
before twice, and that one likewise: whatever needs to see all that such a tuple says never ends.
"""

from pickletools import OpcodeInfo, genops, markobject, stackslice
from typing import Any, BinaryIO

from spikesim.errors import InvalidValueError

_MOST_BYTES = 1 << 22  # names of tensors and what else stands beside them; their values are kept elsewhere
_MOST_VALUES = 1000  # in a tuple, those in tuples in it counted as often as they are met
_NAMED = 0  # in place of the number of values: a function or a class, given by its name


def check_pickle(file: BinaryIO) -> None:
    """Go through the pickle at the place where a file is, to the end of the pickle.

    Raises:
        InvalidValueError: It would take boundless time or memory to read, or calls what it does not name.
        Exception: Whatever is raised on bytes that are no pickle, or one that uses what it has not put there.
    """
    values: list[int] = []  # of each object on the stack how many values it is, as a key is looked at
    marks: list[int] = []
    memo: dict[Any, int] = {}
    began = file.tell()
    for opcode, argument, place in genops(file):
        assert place is not None  # it is for what cannot tell
        if place - began > _MOST_BYTES:
            raise InvalidValueError(f"what it says of its tensors takes more than {_MOST_BYTES} bytes")
        if "PUT" in opcode.name:
            memo[argument] = values[-1]
        elif "GET" in opcode.name:
            values.append(memo[argument])
        elif opcode.stack_after == [markobject]:
            marks.append(len(values))
        else:
            first = _first_taken(opcode, len(values), marks)
            taken = values[first:]
            del values[first:]
            values += [_values_of(opcode, argument, taken)] * len(opcode.stack_after)


def _first_taken(opcode: OpcodeInfo, height: int, marks: list[int]) -> int:
    """Where on the stack begins what an instruction takes from it."""
    if stackslice in opcode.stack_before:  # all from the last mark, and what stands before it
        return marks.pop() - opcode.stack_before.index(markobject)
    return height - len(opcode.stack_before)


def _values_of(opcode: OpcodeInfo, argument: object, taken: list[int]) -> int:
    """How many values the object is that an instruction makes of others."""
    if opcode.name == "GLOBAL":
        if str(argument).endswith(" bytearray"):  # of a number it makes as many bytes
            raise InvalidValueError("it asks for memory that holds nothing")
        return _NAMED
    if opcode.name in ("REDUCE", "NEWOBJ") and taken[0] != _NAMED:
        raise InvalidValueError("it calls what it does not name")
    # Other objects are compared by what they are, not by what they hold, or cannot be keys.
    values = 1 + sum(taken) if opcode.name.startswith("TUPLE") else 1
    if values > _MOST_VALUES:
        raise InvalidValueError(f"a tuple in it is made of more than {_MOST_VALUES} values")
    return values
