"""What the index of a dataset's chunks says of its own parts, to fetch them at once where HDF5 asks one by one."""

_HEAD = 24  # bytes
_ENTRIES = 64  # of a node that HDF5 makes
_ADDRESS = 8  # bytes


def children(node: bytes) -> list[int]:
    """Where the nodes lie that a node of the index leads to; nothing where the bytes are no such node.

    It is a guess that saves time and is checked by nobody: HDF5 itself reads what it wants.

    Source:
        HDF5 File Format Specification, version 3, section III.A.1 (version 1 B-trees).
    """
    key, rest = divmod(len(node) - _HEAD - _ENTRIES * _ADDRESS, _ENTRIES + 1)
    is_inner = node[:5] == b"TREE\x01" and node[5] > 0
    if not is_inner or rest or key < _ADDRESS:
        return []
    used = min(int.from_bytes(node[6:8], "little"), _ENTRIES)
    places = range(_HEAD + key, _HEAD + key + used * (key + _ADDRESS), key + _ADDRESS)
    return [int.from_bytes(node[place : place + _ADDRESS], "little") for place in places]
