"""Telling what a path holds: a dataset, a shard, a folder in the released layout or of recordings, a source, spikes.

What opens sources and layouts is loaded where a path may be one: it takes many times as long as to look at a shard.
"""

import os
from pathlib import Path
from typing import Literal

from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats import FORMATS
from spikesim.hdf5 import open_hdf5
from spikesim.input_files import require_file
from spikesim_datasets.folders import entries_of
from spikesim_datasets.remote.url import Place, Url, require_place
from spikesim_datasets.shards.fields import SPIKES
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.shards.schema import SHARD_SCHEMA
from spikesim_datasets.unfinished import refuse_unfinished

Kind = Literal["dataset", "shard", "layout", "source", "spikes"]


def recognise(path: Place | str) -> Kind:
    """What a path holds; a file whose name tells nothing may be a video.

    An address is of a shard or a dataset, as its name tells: what is there shows when it is read.

    Raises:
        InputFileError: It does not exist, is a file or folder of no kind, or what a conversion has not finished.
        InvalidValueError: It is the address of a spike file.
    """
    path = require_place(path)
    if isinstance(path, Url):
        return _named(path)
    if not os.path.lexists(path):
        from spikesim_datasets.sources import DEMO_PREFIX, PHOTO_PREFIX

        rendered = str(path).startswith((DEMO_PREFIX, PHOTO_PREFIX))
        advice = "; which clips are rendered for it, `spikesim build --dry-run` says" if rendered else ""
        raise InputFileError(f"{path} does not exist{advice}")
    if not path.is_dir():
        require_file(path)
        if path.suffix.lower() not in FORMATS:
            from spikesim_datasets.mistaken_files import mistaken
            from spikesim_datasets.sources import holds_clips
            from spikesim_datasets.videos import is_video

            if not holds_clips(path) and not is_video(path):
                raise InputFileError(
                    f"{path} is no video{mistaken(path)}, and by its name neither an image nor a spike file "
                    f"({', '.join(FORMATS)})"
                )
            return "source"
        return "shard" if path.suffix.lower() == ".h5" and _is_shard(path) else "spikes"
    refuse_unfinished(path)
    if entries_of(path, f"*/{SPIKES.folder}"):
        return "layout"
    if (path / INDEX).is_file() or shard_files(path):
        return "dataset"
    from spikesim_datasets.layouts import is_layout
    from spikesim_datasets.sources import holds_clips

    if is_layout(path):
        return "layout"
    if entries_of(path, "*/spike_full"):
        raise InputFileError(
            f"{path} holds spike_full alone, spikes of the images' own size; spikes of a quarter of it "
            f"(SPLIT/{SPIKES.folder}/) are read"
        )
    if holds_clips(path):
        return "source"
    raise InputFileError(
        f"{path} is a folder without shards ({INDEX}, SPLIT/CLIP.000.h5), not in the released "
        f"layout (SPLIT/{SPIKES.folder}/), and holds neither recordings (CLIP/NAME.dat with an image of its name) nor "
        "videos nor frames"
    )


def _named(url: Url) -> Kind:
    if url.suffix == ".h5":
        return "shard"
    if url.suffix in FORMATS:
        raise InvalidValueError(
            f"of what lies elsewhere, datasets and shards (.h5) are read, and {url} is neither; copy it to this machine"
        )
    return "dataset"


def _is_shard(path: Path) -> bool:
    try:
        with open_hdf5(path) as file:
            return str(file.attrs.get("schema", "")).partition("/")[0] == SHARD_SCHEMA.partition("/")[0]
    except OSError:
        return False
