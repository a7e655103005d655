"""What lies beside a `.dat` file and says what it does not say itself: our `NAME.json`, or a SpikeCV `config.yaml`."""

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any, Self

from spikesim.brief import short
from spikesim.camera import SpikeCamera
from spikesim.checks import require_flag, require_whole
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.formats.decoding import camera_from_json, camera_to_json, reading
from spikesim.input_files import read_json, require_file

SCHEMA = "spikesim.dat/1"

_MOST_CONFIG_BYTES = 1 << 20
_HIGHEST_CRC32 = (1 << 32) - 1


@dataclass(frozen=True)
class DatLayout:
    """How the bits of a readout lie in a `.dat` file.

    Args:
        height: H, > 0.
        width: W, > 0.
        flip: Whether the first row on disk is the bottom row of the image.
        header_columns: Columns at the right of each row that are on disk only, ≥ 0.

    Raises:
        InvalidValueError: A field is outside its range.
    """

    height: int
    width: int
    flip: bool = True
    header_columns: int = 0

    def __post_init__(self) -> None:
        for name, least in (("height", 1), ("width", 1), ("header_columns", 0)):
            object.__setattr__(self, name, require_whole(getattr(self, name), name, least))
        object.__setattr__(self, "flip", require_flag(self.flip, "flip"))

    @property
    def row_bits(self) -> int:
        """Bits of a row on disk."""
        return self.width + self.header_columns

    @property
    def readout_bytes(self) -> int:
        """Bytes of a readout on disk, the last one padded."""
        return -(-self.height * self.row_bits // 8)


@dataclass(frozen=True)
class Sidecar:
    """The content of `NAME.json`: the number of readouts, their layout, the camera they came from, and the CRC-32 of
    the `.dat` file; None where it was written before there was any."""

    readouts: int
    layout: DatLayout
    camera: SpikeCamera | None
    crc32: int | None

    @staticmethod
    def path(dat: Path) -> Path:
        """Where the description of a `.dat` file is."""
        return dat.with_suffix(".json")

    @classmethod
    def read(cls, dat: Path) -> Self | None:
        """The description beside a `.dat` file, None where there is none of ours.

        Raises:
            InputFileError: It is damaged, or of another version of the schema.
        """
        path = cls.path(dat)
        if not os.path.lexists(path):  # a link that leads nowhere is there, and wrong
            return None
        with reading(path):
            record = read_json(path)
            if not _is_ours(record):
                return None
            if record["schema"] != SCHEMA:
                raise InvalidValueError(f"its schema is {short(record['schema'])}, this version reads {SCHEMA!r}")
            readouts, height, width = record["shape"]
            layout = DatLayout(height, width, record["flip"], record["header_columns"])
            camera = camera_from_json(json.dumps(record["camera"]))
            crc32 = record.get("crc32")
            if crc32 is not None:
                crc32 = require_whole(crc32, "crc32 (null where none is known)", 0, _HIGHEST_CRC32)
            return cls(require_whole(readouts, "readouts", 0), layout, camera, crc32)

    def to_json(self) -> str:
        """The text that `read` reads back to an equal description."""
        layout = asdict(self.layout)
        shape = [self.readouts, layout.pop("height"), layout.pop("width")]
        camera = json.loads(camera_to_json(self.camera))
        record = {"schema": SCHEMA, "shape": shape, **layout, "camera": camera, "crc32": self.crc32}
        return json.dumps(record) + "\n"

    def check_given(self, dat: Path, given: dict[str, Any]) -> None:
        """Refuses a size or an option of the caller that is not what was written.

        Raises:
            InputFileError: They differ.
        """
        for field in fields(self.layout):
            recorded = getattr(self.layout, field.name)
            if given.get(field.name, recorded) != recorded:
                raise InputFileError(
                    f"cannot read {dat} with {field.name}={given[field.name]}: {self.path(dat).name} beside it says "
                    f"{field.name}={recorded}; leave {field.name} out, or remove that file if it is wrong"
                )


def check_replaceable(dat: Path, describe: bool) -> None:
    """Refuses to write a `.dat` file whose description would be that of another file, or replace something else.

    Args:
        dat: The file to be written.
        describe: Whether a description is written with it; one that is there is removed in any case.

    Raises:
        OutputError: There is a file of its name in letters of another case, `NAME.DAT` beside `NAME.dat`, and a
            description of one of them; or the name of the description is that of a file that is none.
    """
    path = Sidecar.path(dat)
    there = os.path.lexists(path)
    if (describe or there) and (other := _other_case(dat)):
        raise OutputError(
            f"{dat} and {other.name} beside it would share one description, {path.name}, so that one of them could not "
            "be read; choose another name or folder"
        )
    if not there:
        return
    try:
        ours = _is_ours(read_json(path))
    except InputFileError:
        ours = False
    if not ours:
        raise OutputError(
            f"{path} would be replaced by the description of the .dat file of that name, but is something else; "
            "choose another name or folder"
        )


def _other_case(dat: Path) -> Path | None:
    """Another file whose name differs in the case of the extension alone."""
    for letters in product(*({letter.lower(), letter.upper()} for letter in dat.suffix)):
        other = dat.with_suffix("".join(letters))
        if other.name != dat.name and os.path.lexists(other) and not _are_one(dat, other):
            return other
    return None


def _are_one(first: Path, second: Path) -> bool:
    """Whether two names are of one file, as on systems that know no case."""
    return first.exists() and second.exists() and first.samefile(second)


def spikecv_size(folder: Path) -> tuple[int, int] | None:
    """Height and width from the `config.yaml` of a SpikeCV dataset, in this folder or the nearest above that has one.

    Returns:
        The size, or None where no such file has one.

    Raises:
        InputFileError: The file cannot be read.
    """
    for place in (folder.absolute(), *folder.absolute().parents):
        if size := config_size(place / "config.yaml"):
            return size
    return None


def config_size(path: Path) -> tuple[int, int] | None:
    """Height and width from one `config.yaml`, None where it is absent or has no such entries.

    Raises:
        InputFileError: It cannot be read.
    """
    if not os.path.lexists(path):  # a link that leads nowhere is there, and wrong
        return None
    with reading(path):
        if require_file(path).st_size > _MOST_CONFIG_BYTES:
            raise InvalidValueError(f"it is longer than {_MOST_CONFIG_BYTES} bytes, more than any such description")
        lines = path.read_text(encoding="utf-8").split("\n")
    entries = {found[1]: int(found[2]) for line in lines if (found := _ENTRY.fullmatch(line))}
    return (entries["h"], entries["w"]) if {"h", "w"} <= set(entries) else None


# No sensor has a billion rows; longer numbers are no size.
_ENTRY = re.compile(r"""\s*["']?spike_([hw])["']?\s*:\s*["']?0*([1-9]\d{0,8})["']?\s*(?:\#.*)?""")


def _is_ours(record: object) -> bool:
    return isinstance(record, dict) and str(record.get("schema")).startswith("spikesim.dat/")
