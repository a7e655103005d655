"""What tests of fields share: fields of every kind that are declared here alone, and samples and datasets with them."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import shard_data
from shard_data import HEIGHT, WIDTH, write_shard

from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.shards import Sample
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import FIELDS, declare

BUILT_IN = ["blur", "sharp", "spikes", "window", "first_frame", "light", "flow", "flow_exact"]
BUILT_IN += ["alignment", "misalignment"]
TOYS = ("depth", "cell", "motion", "shift", "tint")

PLAN = ExposurePlan()
SEVEN, MIDDLE = PLAN.sharp_readouts("sequence"), PLAN.sharp_readouts("middle")
RECIPE = {"choices": {"plan": asdict(PLAN)}}
CENTRE = (90, 40)  # x, y of the pixel to which all motion leads


@pytest.fixture(scope="module")
def toys() -> Iterator[None]:
    """Fields that are known while a module's tests run."""
    declare(Field("depth", ("H", "W"), "float32"))
    declare(Field("cell", ("h", "w"), "uint16"))
    declare(Field("motion", ("S-1", "H", "W", 2), "float16", mirror_signs={"W": (-1, 1), "H": (1, -1)}))
    declare(Field("shift", (3,), "float32", filtered=False, mirror_signs={"H": (1, -1, 1)}))
    declare(Field("tint", ("S", "H", "W", 3), "uint8", file="png"))
    yield
    for name in TOYS:
        del FIELDS[name]
    assert list(FIELDS) == BUILT_IN


def toy_arrays(sharp: int) -> dict[str, np.ndarray]:
    """Arrays that say where their pixels lie."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    to_centre = np.stack([CENTRE[0] - x, CENTRE[1] - y], -1).astype(np.float16)
    return {
        "depth": (y * WIDTH + x).astype(np.float32),
        "cell": (y * (WIDTH // 4) + x)[: HEIGHT // 4, : WIDTH // 4].astype(np.uint16),
        "motion": np.broadcast_to(to_centre, (max(sharp - 1, 0), HEIGHT, WIDTH, 2)).copy(),
        "shift": np.array([5, 7, 9], np.float32),
        "tint": np.random.default_rng(sharp).integers(0, 256, (sharp, HEIGHT, WIDTH, 3), np.uint8),
    }


def make_sample(
    window: int = 1, key: str = "train/clip", sharp: tuple[int, ...] = SEVEN, extra: tuple[str, ...] = TOYS
) -> Sample:
    sample = shard_data.make_sample(window, readouts=137, key=key, sharp_readouts=sharp, thresholds=(1.0,))
    arrays = toy_arrays(len(sharp))
    return replace(
        sample, first_frame=13 * window, exposure=PLAN.exposure, extra={name: arrays[name] for name in extra}
    )


@pytest.fixture(scope="module")
def dataset(toys: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips: one of three samples, of which the last has fewer toys, a new and an old one; not to be changed."""
    root = tmp_path_factory.mktemp("dataset")
    shards = {
        "train/a.000": [make_sample(window, "train/a") for window in (1, 2)],
        "train/a.001": [make_sample(3, "train/a", extra=("depth", "shift"))],
        "train/b.000": [make_sample(1, "train/b")],
        "test/old.000": [make_sample(1, "test/old", MIDDLE, ())],
    }
    for path, samples in shards.items():
        write_shard(root / f"{path}.h5", *samples, recipe=RECIPE)
    return root


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """The same dataset, to be changed."""
    return Path(shutil.copytree(dataset, tmp_path / "copy"))


def assert_same_extra(found: Sample, expected: Sample) -> None:
    assert list(found.extra) == list(expected.extra)
    for name, array in expected.extra.items():
        np.testing.assert_array_equal(found.extra[name], array, strict=True)
