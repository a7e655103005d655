"""The folder of an evaluation, by which it goes on after an interruption."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_path
from spikesim.input_files import read_json
from ssdm_models.evaluation.extremes import IMAGES, ExtremeImages
from ssdm_models.evaluation.rows import Row, read_rows, write_rows

ROWS, RECORD = "samples.csv", "evaluation.json"


class Folder:
    """`samples.csv` holds the rows of all samples so far, `evaluation.json` what was asked and at last the summary,
    `images` those of the samples that methods do worst and best at.

    Both files are replaced as a whole: whatever ends the process, they are those of some number of whole samples.

    Args:
        path: The folder; it is made where it is missing.
        request: What is evaluated, as JSON values. Rows of the same request are kept.
        overwrite: Whether those of another are replaced.

    Attributes:
        rows: Those of an evaluation that was begun before.
        images: Of the extreme samples.

    Raises:
        OutputError: The folder holds another evaluation, or cannot be written.
        InputFileError: What it holds is damaged.
    """

    def __init__(self, path: Path, request: Mapping[str, Any], overwrite: bool) -> None:
        self._path = path
        self._request = json.loads(json.dumps(request))
        self.rows: list[Row] = []
        self.images = ExtremeImages(path / IMAGES)
        if not overwrite and any((path / name).exists() for name in (ROWS, RECORD)):
            self._check_request()
            if (path / ROWS).exists():
                self.rows = read_rows(path / ROWS)
        else:
            (path / ROWS).unlink(missing_ok=True)
            shutil.rmtree(path / IMAGES, ignore_errors=True)
            self.finish({})

    def save(self, rows: Sequence[Row]) -> None:
        """Keep the rows so far."""
        write_rows(self._path / ROWS, rows)

    def finish(self, record: Mapping[str, Any]) -> None:
        """Keep the summary."""
        with atomic_path(self._path / RECORD) as temporary:
            temporary.write_text(json.dumps({"request": self._request, **record}, indent=1) + "\n", "utf-8")

    def _check_request(self) -> None:
        path = self._path / RECORD
        other = ["origin"]
        try:
            if path.exists():
                held = read_json(path)["request"]
                other = [name for name in self._request if held.get(name) != self._request[name]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputFileError(f"{path} is no record of an evaluation ({error!r}); choose another folder") from error
        if other:
            raise OutputError(
                f"{self._path} holds an evaluation of another {', '.join(other)}; choose another folder, "
                "or overwrite it"
            )
