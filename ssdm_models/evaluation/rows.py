"""Figures of single images, and the CSV they are kept in."""

import csv
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from spikesim.brief import short
from spikesim.checks import require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim.input_files import require_file
from ssdm_models.evaluation.evaluation_set import DOMAINS, Domain
from ssdm_models.evaluation.scores import Score


@dataclass(frozen=True)
class Row:
    """One image of one method.

    Attributes:
        key, window: The sample: its clip, and its number in it.
        v_th: Threshold of the spikes; None where none were looked at.
        readout: The time; None for the whole exposure.
        domain: What it was compared with, a key of `DOMAINS`.
        method: Label of the method.
        score: Its figures.
        seconds: That making it took, as its share of the sequence it was made in.
    """

    key: str
    window: int
    v_th: float | None
    readout: int | None
    domain: Domain
    method: str
    score: Score
    seconds: float


_SCORES = [field.name for field in fields(Score)]
_NAMES = [field.name for field in fields(Row) if field.name != "score"]
COLUMNS = (*_NAMES[:-1], *_SCORES, _NAMES[-1])
"""Of the CSV."""


def write_rows(path: str | os.PathLike[str], rows: Sequence[Row]) -> None:
    """Write rows as CSV with a header; what is None is empty, and numbers come back as they were.

    Raises:
        OutputError: The file cannot be written; what was there before is untouched.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            record = asdict(row)
            writer.writerow(record | record.pop("score"))


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """What `write_rows` wrote.

    Args:
        path: The file, .csv.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: The file is missing or no regular file, or was changed.
    """
    path = require_path(path)
    require_file(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = csv.DictReader(file)
            if missing := set(COLUMNS) - set(records.fieldnames or ()):
                raise InvalidValueError(f"it has no columns {', '.join(sorted(missing))}")
            return [_row(record) for record in records]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputFileError(
            f"{path} is no CSV of an evaluation ({error!r:.200}); remove its folder to evaluate again"
        ) from error
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror or error}") from error


def _row(record: dict[str, Any]) -> Row:
    (domain,) = [domain for domain in DOMAINS if domain == record["domain"]]
    return Row(
        record["key"],
        int(record["window"]),
        None if record["v_th"] == "" else float(record["v_th"]),
        None if record["readout"] == "" else int(record["readout"]),
        domain,
        record["method"],
        Score(
            _number(record["psnr"], infinite=True),
            _number(record["ssim_ssdm"]),
            _number(record["ssim_standard"]),
            _number(record["lpips"]) if record["lpips"] else None,
            _number(record["liqe"]) if record["liqe"] else None,
        ),
        _number(record["seconds"]),
    )


def _number(text: str, infinite: bool = False) -> float:
    """A figure; of two equal images it may be infinite, which is written `inf`."""
    number = float(text)
    if not isfinite(number) and not (infinite and text == "inf"):
        raise InvalidValueError(f"{short(text)} is no figure")
    return number
