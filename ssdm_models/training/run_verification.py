"""Reading everything of a training's folder to find what is damaged."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from spikesim.checks import require_path
from spikesim.errors import InputFileError, SpikesimError
from ssdm_models import checkpoints
from ssdm_models.training.record import RECORD, read_record
from ssdm_models.training.state import STATE, load_state

_READERS: dict[str, Callable[[Path], object]] = {
    "*.safetensors": checkpoints.load,
    f"*/{STATE}": load_state,
    f"*/{RECORD}": read_record,
}
"""How the files of a run are read, by their patterns."""


@dataclass(frozen=True)
class RunFileCheck:
    """What was found of one file.

    Attributes:
        path: Relative to the folder.
        bytes: Size of the file.
        problem: What is wrong, empty where nothing is.
    """

    path: str
    bytes: int
    problem: str


def verify_run(path: Path | str) -> Generator[RunFileCheck, None, None]:
    """Load every network and every state of a training's folder; networks are compared with their checksums.

    Args:
        path: The folder.

    Raises:
        InputFileError: There is nothing to verify.
    """
    root = require_path(path)
    files = [(file, read) for pattern, read in _READERS.items() for file in sorted(root.glob(pattern))]
    if not files:
        raise InputFileError(f"there is no training at {root}: no networks ({', '.join(_READERS)})")
    for file, read in files:
        problem = ""
        try:
            read(file)
        except SpikesimError as error:
            problem = str(error)
        yield RunFileCheck(file.relative_to(root).as_posix(), file.lstat().st_size, problem)
