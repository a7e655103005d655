"""What `view` reads: the streams of spike files and of samples, by what captions call them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spikesim_cli.options import read_options

if TYPE_CHECKING:
    from spikesim import SpikeStream
    from spikesim_datasets.recognition import Kind
    from spikesim_datasets.remote.url import Place
    from spikesim_datasets.shards import Sample


def read_all(
    path: "Place", beside: "Sequence[Place]", kinds: "Mapping[Place, Kind]", **options: Any
) -> "dict[Place, Sample | SpikeStream]":
    """What `read_shown` reads of a path and of those beside it, which say of themselves how they are stored.

    Args:
        path, beside: Where they are.
        kinds: What they are.
        options: Those of `read_shown`.
    """
    common = {name: options[name] for name in ("sample", "split", "vth", "start", "readouts")}
    found = {path: read_shown(path, kinds[path], **options)}
    return found | {place: read_shown(place, kinds[place], **common, no_flip=False) for place in beside}


def read_shown(
    place: Any, kind: "Kind", sample: int | None, split: str | None, vth: float | None, **options: Any
) -> "Sample | SpikeStream":
    """The stream of a spike file, or a sample of a shard, a dataset or a folder in the released layout.

    Args:
        place: Where it is.
        kind: What it is.
        sample: Number of the sample, the first where it is None.
        split: Of a dataset, `train` where it is None.
        vth: Threshold of a released layout that does not record it.
        options: Those of `size_options` and `part_options`.

    Raises:
        InvalidValueError: There is no such sample.
        InputFileError: What is there is damaged.
    """
    from spikesim import read_spikes
    from spikesim.errors import InvalidValueError
    from spikesim_datasets.layouts import open_layout
    from spikesim_datasets.shards import ShardReader, open_dataset

    if kind == "spikes":
        return read_spikes(place, **read_options(place, **options))
    number, split = sample or 0, split or "train"
    try:
        if kind == "shard":
            with ShardReader(place) as shard:
                return shard.sample(number)
        return (open_layout(place, split, vth) if kind == "layout" else open_dataset(place, split))[number]
    except IndexError as error:
        raise InvalidValueError(f"{place}: {error}") from error


def streams_of(found: "Mapping[Place, Sample | SpikeStream]") -> "dict[str, SpikeStream]":
    """All streams: of several places by their names as well, of a sample by threshold."""
    from spikesim import SpikeStream
    from spikesim_datasets.shards.schema import threshold_name

    names = [str(place).rstrip("/").rpartition("/")[2] for place in found]
    streams = {}
    for place, name, held in zip(found, names, found.values(), strict=True):
        shown = "" if len(found) == 1 else name if names.count(name) == 1 else str(place)
        if isinstance(held, SpikeStream):
            streams[shown] = held
            continue
        for v_th, stream in held.spikes.items():
            streams[f"{shown}, V_th {threshold_name(v_th)}".removeprefix(", ")] = stream
    return streams
