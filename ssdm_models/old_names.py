"""What earlier versions called things: the names in their records, read as those of today.

What the arguments of a network were called before is said where the stage is declared (`StageSpec.old_arguments`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikesim.errors import InvalidValueError
from ssdm_models.precision import FABRIC

SETTINGS = {"ahead": "precompute_teacher"}
"""Of `StageConfig`."""

ADDED = {
    "clip": 0.0,
    "weight_decay": 0.0,
    "small": False,
    "rate_floor": 0.0,
    "schedule_part": 1.0,
    "square_decay": 0.999,
}
"""What `StageConfig` has gained, as trainings were before that."""

PRECISIONS: dict[str, str] = {fabric: name for name, fabric in FABRIC.items()}
"""Values of its `precision`."""

_TEACHER_TARGETS = "lessons"
"""The folder of a run that holds the teacher's images."""


def renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Values by the names of today.

    Args:
        values: By name, old or of today.
        names: Names of today by the old ones.

    Raises:
        InvalidValueError: A value is given by both of its names.
    """
    for old, name in names.items():
        if old in values and name in values:
            raise InvalidValueError(f"{old!r} is what earlier versions called {name!r}; give one of them")
    return {names.get(name, name): value for name, value in values.items()}


def renamed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a training, of whatever version, as `StageConfig` has them.

    Raises:
        InvalidValueError: A setting is given by both of its names.
    """
    found = renamed(settings, SETTINGS)
    if isinstance(precision := found.get("precision"), str):
        found["precision"] = PRECISIONS.get(precision, precision)
    return found


def rename_teacher_targets(folder: Path) -> None:
    """Give a folder of teacher targets its name of today, where a run still has it under the old one.

    Args:
        folder: Of the teacher targets, in the folder of their stage.

    Raises:
        OSError: The run cannot be written to.
    """
    old = folder.with_name(_TEACHER_TARGETS)
    if old.is_dir() and not folder.exists():
        old.rename(folder)
