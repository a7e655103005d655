"""Reading everything of a folder layout to find what is damaged or missing."""

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from spikesim.checks import require_path
from spikesim.errors import SpikesimError
from spikesim_datasets.layouts.description import DESCRIPTION, LayoutShard
from spikesim_datasets.layouts.layout_reader import LayoutReader
from spikesim_datasets.layouts.shard_descriptions import describe
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.verification import ShardCheck

_ANY_THRESHOLD = 1.0  # reading does not depend on it


def verify_layout(path: Path | str, on_progress: OnProgress | None = None) -> Generator[ShardCheck, None, None]:
    """Read every sample of a folder in the released layout; there are no checksums that it could be compared with.

    Args:
        path: Its root.
        on_progress: Told of samples.

    Yields:
        What was found of each clip.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is no such layout, or its description is damaged.
    """
    root, tell = require_path(path), teller(on_progress)
    shards = describe(root, None if (root / DESCRIPTION).is_file() else _ANY_THRESHOLD)
    tally = Tally([(shard.key, len(shard.windows)) for shard in shards], 0, tell)
    for number, shard in enumerate(shards):
        check = _verify_clip(root, shard, partial(tally.step, number))
        tally.finish(number)
        yield check


def _verify_clip(root: Path, shard: LayoutShard, on_sample: Callable[[], None]) -> ShardCheck:
    files = {file for window in shard.windows for file in shard.sample_paths(root, window) if file.is_file()}
    size, samples = sum(file.stat().st_size for file in files), 0
    try:
        clip = LayoutReader(root, shard)
        for sample in range(len(clip)):
            clip.sample(sample)
            samples += 1
            on_sample()
    except SpikesimError as error:
        return ShardCheck(shard.path, samples, size, str(error))
    return ShardCheck(shard.path, samples, size, "")
