"""Files that describe a camera: TOML, made to be written by hand, kept in a repository and cited; and calibrations.

schema = "spikesim.camera/1"
preset = "realistic"           # what is not given here is as there; without a preset, as in `SpikeCamera()`
v_th = 2.0

[[noise]]                      # noise, where it is given, is all there is
term = "ShotNoise"
full_well_e = 20000.0
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from spikesim.brief import short, shortened
from spikesim.errors import InputFileError, InvalidValueError, SpikesimError
from spikesim.files import atomic_path
from spikesim.input_files import require_file
from spikesim.noise import NOISE_TERMS, Calibration, NoiseTerm
from spikesim.noise.measured_pattern import calibrated_fields
from spikesim.presets import PRESET_FIELDS

SCHEMA = "spikesim.camera/1"
"""The first line of a camera file."""

_MOST_BYTES = 1 << 20
_CALIBRATED_PRESET = "realistic"


def read_fields(path: Path, names: Collection[str]) -> dict[str, Any]:
    """The fields of the camera in a file.

    Args:
        path: A TOML file; or a calibration, `.npz`, which stands for the preset `realistic` with its fixed pattern.
        names: The fields that a camera has.

    Raises:
        InputFileError: The file, or the calibration that it refers to, is missing, damaged or of another kind.
        InvalidValueError: Something in it is none of a camera's.
    """
    if path.suffix.lower() == ".npz":
        preset = PRESET_FIELDS[_CALIBRATED_PRESET]
        # Absolute: what is made with the camera records where its calibration lies.
        return {**preset, **calibrated_fields(os.path.abspath(path), preset["noise"])}  # noqa: PTH100
    record = _parse(path)
    schema = record.pop("schema", None)
    if schema != SCHEMA:
        raise InvalidValueError(
            f'a camera file has the line schema = "{SCHEMA}", here it is {short(schema)}'
            if schema is not None
            else f'a camera file has the line schema = "{SCHEMA}", and this one has none'
        )
    if unknown := record.keys() - {*names, "preset"}:
        raise InvalidValueError(
            f"a camera has no field {', '.join(map(short, sorted(unknown)))}; a camera file gives schema, preset, "
            f"{', '.join(names)}"
        )
    base: dict[str, Any] = {}
    if "preset" in record:
        preset = record.pop("preset")
        if not isinstance(preset, str) or preset not in PRESET_FIELDS:
            raise InvalidValueError(f"no camera preset is called {short(preset)}; there are {', '.join(PRESET_FIELDS)}")
        base = PRESET_FIELDS[preset]
    if "noise" in record:
        record["noise"] = _terms(record["noise"], path, names)
    return {**base, **record}


def write_fields(path: Path, record: Mapping[str, Any]) -> None:
    """Write the fields of a camera as a TOML file, a calibration by its place as seen from the file.

    Args:
        path: Of the file, `.toml`.
        record: The fields, noise among them.

    Raises:
        InvalidValueError: The name is not one of a TOML file, or a noise term holds what TOML cannot say.
        OutputError: It cannot be written; what was there before is untouched.
    """
    import tomli_w

    if path.suffix.lower() != ".toml":
        raise InvalidValueError(f"a camera is written as TOML; give a name that ends in .toml, got {path}")
    folder = os.path.realpath(path.parent)
    if path.is_symlink():  # what is written is the file it leads to
        folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
    plain = {name: value for name, value in record.items() if name != "noise"}
    # `noise = []` says that there is none, which matters once somebody adds a preset.
    parts = [tomli_w.dumps({"schema": SCHEMA, **plain, **({} if record["noise"] else {"noise": []})})]
    # Term by term, because the writer puts short tables into one line.
    parts += [f"\n[[noise]]\n{tomli_w.dumps(_record_of(term, folder))}" for term in record["noise"]]
    with atomic_path(path) as temporary:
        temporary.write_bytes("".join(parts).encode("utf-8"))


def _parse(path: Path) -> dict[str, Any]:
    size = require_file(path).st_size
    if size > _MOST_BYTES:
        raise InvalidValueError(f"it has {size} bytes, more than any camera file; give a .toml file or a calibration")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(
            f"it is no TOML ({shortened(str(error))}); `spikesim calibrate` and SpikeCamera.save write files of cameras"
        ) from error


def _terms(given: Any, path: Path, names: Collection[str]) -> tuple[NoiseTerm, ...]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise InvalidValueError(f"noise must be tables, each of which begins with [[noise]], got {short(given)}")
    return tuple(_term(number, each, path, names) for number, each in enumerate(given, 1))


def _term(number: int, given: dict[str, Any], path: Path, names: Collection[str]) -> NoiseTerm:
    name = given.pop("term", None)
    if not isinstance(name, str) or name not in NOISE_TERMS:
        said = "has no line that says its term" if name is None else f"has the term {short(name)}, which is none"
        raise InvalidValueError(f"[[noise]] number {number} {said}; there are {', '.join(sorted(NOISE_TERMS))}")
    kind = NOISE_TERMS[name]
    known = [field.name for field in fields(kind)]
    if unknown := sorted(given.keys() - {*known}):
        where = "; fields of the camera stand before the first [[noise]]" if {*names} & {*unknown} else ""
        raise InvalidValueError(
            f"{name} has no field {', '.join(map(short, unknown))}; it has {', '.join(known) or 'none'}{where}"
        )
    try:
        term = kind.from_record(given)
    except TypeError as error:
        raise InvalidValueError(f"{name} lacks a field ({error}); it has {', '.join(known)}") from error
    return _found(term, path) if isinstance(term, Calibration) else term


def _found(calibration: Calibration, path: Path) -> Calibration:
    """A calibration that is named in a file, by its place on this machine; it is there and the one meant."""
    place = os.path.join(os.path.dirname(os.path.realpath(path)), calibration.path)  # noqa: PTH118, PTH120
    found = replace(calibration, path=_real_place(place))
    try:
        found.maps()
    except SpikesimError as error:
        raise InputFileError(
            f"{path} refers to a calibration, {calibration.path}, as seen from its folder: {error}. Keep both together"
        ) from error
    return found


def _record_of(term: NoiseTerm, folder: str) -> dict[str, Any]:
    """A noise term as a table of TOML, in a file of a folder."""
    record = asdict(term)
    if isinstance(term, Calibration):
        record["path"] = os.path.relpath(_real_place(term.path), folder)
    for name, value in record.items():
        if not isinstance(value, bool | int | float | str) or (isinstance(value, str) and not _is_text(value)):
            raise InvalidValueError(
                f"{name} of {type(term).__name__} cannot be written into a camera file, which holds numbers, text, "
                f"true and false; got {short(value)}"
            )
    return {"term": type(term).__name__, **record}


def _real_place(path: str) -> str:
    """Where a file lies, absolute, of which only the last part may be a link: it may be what stands for data that are
    kept elsewhere."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # a file's name may hold other bytes
        return False
    return True
