"""What tests of shards share: samples of noise, and shards and datasets of them."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikesim import SpikeCamera, SpikeStream
from spikesim_datasets.keys import parse_key
from spikesim_datasets.shards import Sample, ShardWriter
from spikesim_datasets.shards.index import write_index
from spikesim_datasets.shards.writer import Compression

RECIPE = {"choices": {"seed": 3, "plan": {"frames": 3}}, "command": "spikesim build"}
# Spikes are 30 wide: the last of their 4 bytes is not full.
HEIGHT, WIDTH, READOUTS = 72, 120, 13


def make_sample(
    window: int = 1,
    height: int = HEIGHT,
    width: int = WIDTH,
    readouts: int = READOUTS,
    sharp_readouts: tuple[int, ...] = (2, 6),
    thresholds: tuple[float, ...] = (1.0, 2.5),
    key: str = "train/clip",
) -> Sample:
    rng = np.random.default_rng(window)
    dense = rng.integers(0, 2, (len(thresholds), readouts, height // 4, width // 4), np.uint8)
    return Sample(
        *parse_key(key),
        window,
        3 * window,
        (2, 11),
        rng.integers(0, 256, (height, width, 3), np.uint8),
        rng.integers(0, 256, (len(sharp_readouts), height, width, 3), np.uint8),
        sharp_readouts,
        {
            v_th: SpikeStream.from_dense(spikes, SpikeCamera.preset("ssdm", v_th=v_th))
            for v_th, spikes in zip(thresholds, dense, strict=True)
        },
    )


def write_shard(
    path: Path, *samples: Sample, compression: Compression = "none", recipe: dict[str, Any] = RECIPE
) -> Path:
    with ShardWriter(path, recipe, compression) as writer:
        for sample in samples:
            writer.append(sample)
    return path


def assert_equal(found: Sample, expected: Sample) -> None:
    for name in ("key", "window", "first_frame", "exposure", "sharp_readouts"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("blur", "sharp"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), strict=True)
    assert list(found.spikes) == sorted(expected.spikes)
    for v_th, stream in expected.spikes.items():
        np.testing.assert_array_equal(found.spikes[v_th].packed, stream.packed, strict=True)
        assert (found.spikes[v_th].shape, found.spikes[v_th].camera) == (stream.shape, stream.camera)


def content(shard: Path) -> dict[str, Any]:
    """Everything a shard holds, arrays and attributes, read by nothing of ours."""
    found: dict[str, Any] = {}

    def visit(name: str, item: h5py.HLObject) -> None:
        found[name] = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            found[name] |= {"array": item[()].tobytes(), "form": (item.shape, item.dtype, item.chunks, item._filters)}

    with h5py.File(shard, "r") as file:
        visit("/", file)
        file.visititems(visit)
    return found


def chunks(path: Path, name: str) -> list[tuple[int, tuple[slice, ...]]]:
    """Where every chunk of an array lies: in the file, and in the array."""
    with h5py.File(path, "r") as file:
        array = file[name]
        places = [array.id.get_chunk_info(i) for i in range(array.id.get_num_chunks())]
        return [
            (
                place.byte_offset,
                tuple(slice(first, first + side) for first, side in zip(place.chunk_offset, array.chunks, strict=True)),
            )
            for place in places
        ]


def flip_bits(path: Path, *offsets: int) -> None:
    with path.open("r+b") as file:
        for offset in offsets:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 16]))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows 1, 2 and 4 of one clip; not to be changed."""
    return write_shard(tmp_path_factory.mktemp("shard") / "train" / "clip.000.h5", *map(make_sample, (1, 2, 4)))


@pytest.fixture
def copy(shard: Path, tmp_path: Path) -> Path:
    """The same shard, to be damaged."""
    return Path(shutil.copy(shard, tmp_path / "copy.h5"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two clips of one split and one of the other, 3 + 2 + 1 samples, with an index."""
    root = tmp_path / "dataset"
    for name, windows in {"train/a": (1, 2, 3), "train/b": (1, 2), "test/c": (5,)}.items():
        write_shard(root / f"{name}.000.h5", *(make_sample(window, key=name) for window in windows))
    write_index(root, {"choices": {}})
    return root
