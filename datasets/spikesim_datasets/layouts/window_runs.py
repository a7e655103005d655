"""Exposures that follow each other, for loaders that take neighbours in a folder for neighbours in time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from spikesim.errors import InvalidValueError
from spikesim_datasets.keys import parse_key
from spikesim_datasets.layouts.tool_layout import ToolShard

LEAST = 3
"""So many exposures in a row show such a loader one sample: one of them with both of its neighbours, or a pair behind
the first, which is left out."""


class RunPlace(NamedTuple):
    """Where an exposure lies.

    Attributes:
        folder: Of its run, in its split.
        position: Its place in the run, from 0.
    """

    folder: str
    position: int


def window_runs(shards: Sequence[ToolShard], title: str) -> dict[tuple[str, int], RunPlace]:
    """The runs of exposures that clips consist of, also across shards.

    The first run of a clip is called as the clip, and each further one by its first exposure as well, `CLIP_00010`.

    Args:
        shards: The shards, in which no exposure is there twice.
        title: Of the tool, for messages.

    Returns:
        The place of each exposure by key of its clip and its number.

    Raises:
        InvalidValueError: Two runs would be called the same, or none is of three exposures or more.
    """
    windows: dict[str, list[int]] = {}
    for shard in shards:
        windows.setdefault(shard.key, []).extend(shard.windows)
    places: dict[tuple[str, int], RunPlace] = {}
    owners: dict[tuple[str, str], str] = {}
    for key, numbers in windows.items():
        split, name = parse_key(key)
        for run in _in_a_row(sorted(numbers)):
            folder = name if run[0] == min(numbers) else f"{name}_{run[0]:05d}"
            if (owner := owners.setdefault((split, folder), key)) != key:
                raise InvalidValueError(
                    f"exposures from {run[0]} on of {key} would lie in the folder {folder} of {split}, as some of "
                    f"{owner}; convert these clips apart"
                )
            places |= {(key, window): RunPlace(folder, position) for position, window in enumerate(run)}
    if max(place.position for place in places.values()) < LEAST - 1:
        raise InvalidValueError(
            f"{title} reads an exposure together with those beside it, no clip here has {LEAST} in a row; build the "
            "dataset from longer clips, or convert all of its shards"
        )
    return places


def _in_a_row(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, cut where one does not follow the one before."""
    runs = [list(numbers[:1])]
    for before, number in pairwise(numbers):
        if number != before + 1:
            runs.append([])
        runs[-1].append(number)
    return runs
