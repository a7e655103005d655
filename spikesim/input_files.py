"""Files that somebody else may have made: what is opened at all, and JSON read within bounds."""

import json
import os
import stat
from collections import Counter
from math import isfinite
from pathlib import Path
from typing import Any

from spikesim.brief import short, shortened
from spikesim.errors import InputFileError, InvalidValueError

# An index of 100,000 shards has 25 MB and 700,000 values; of `{}` and `[]` a value takes 64 bytes of memory and more.
MOST_JSON_BYTES = 1 << 25
"""That a description may have."""

_MOST_JSON_VALUES = 1 << 21


def require_file(path: str | os.PathLike[str]) -> os.stat_result:
    """What the system says of a regular file.

    Nothing else is opened to be read: a named pipe would wait for a writer, a device has no end.

    Raises:
        InputFileError: It is missing, cannot be looked at, or is a folder, a pipe, a socket or a device.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        raise InputFileError(f"cannot read {os.fspath(path)}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "Is a directory" if stat.S_ISDIR(found.st_mode) else "it is a pipe, a socket or a device"
        raise InputFileError(f"cannot read {os.fspath(path)}: {kind}; a file is expected")
    return found


def version_of(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """What tells this state of a regular file from every other, without reading it.

    Returns:
        Its absolute path first.

    Raises:
        InputFileError: As for `require_file`.
    """
    found = require_file(path)
    state = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return str(Path(path).absolute()), *map(str, state)


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        InputFileError: It is missing or no regular file, too large, no JSON, nested too deeply, or gives an entry
            twice.
    """
    size = require_file(path).st_size
    if size > MOST_JSON_BYTES:
        raise InputFileError(f"cannot read {path}: it has {size} bytes, more than any description")
    try:
        return parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or shortened(str(error))
        raise InputFileError(f"cannot read {path}: {problem}") from error


def is_of_json_size(text: str) -> bool:
    """Whether a text, of ASCII where it is to be a file, is as short as `parse_json` takes it."""
    return len(text) <= MOST_JSON_BYTES and sum(map(text.count, "{[,")) <= _MOST_JSON_VALUES


def parse_json(text: str) -> Any:
    """The value that a text in JSON says.

    Raises:
        InvalidValueError: It is no JSON, too long, nested too deeply, gives an entry twice, or holds a number that is
            none.
    """
    if not is_of_json_size(text):
        raise InvalidValueError(f"it has {len(text)} characters and more values than any description")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_refuse_constant)
    except InvalidValueError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidValueError(f"it is no JSON ({error})") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidValueError(f"it gives {short(twice)} more than once")
    return record


def _number(text: str) -> float:
    if not isfinite(number := float(text)):
        raise InvalidValueError(f"it holds {short(text)}, which is more than a number can be")
    return number


def _refuse_constant(name: str) -> None:
    raise InvalidValueError(f"it holds {name}, which is no number")
