"""Training items with optional fields, cropped and mirrored as the rest, and the readouts of their ground truth."""

from pathlib import Path

import field_data
import numpy as np
import pytest
from field_data import CENTRE, MIDDLE, PLAN, SEVEN, TOYS, make_sample
from shard_data import HEIGHT, WIDTH, write_shard

from spikesim.errors import InvalidValueError
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.shards import Sample

torch = pytest.importorskip("torch", reason="torch is an extra")

from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset  # noqa: E402
from spikesim_datasets.shards.fields import FIELDS  # noqa: E402

toys, dataset = field_data.toys, field_data.dataset

PLAIN = ["blur", "spikes", "sharp", "v_th", "key", "window", "sharp_readouts", "exposure"]


@pytest.fixture(scope="module", params=["shards", "layout"])
def whole(toys: None, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Two samples with all toys, as shards and as a layout; not to be changed."""
    root = tmp_path_factory.mktemp("whole")
    write_shard(root / "shards/train/a.000.h5", make_sample(1), make_sample(2), recipe=field_data.RECIPE)
    if request.param == "layout":
        shards_to_layout(root / "shards", root / "layout")
    return root / request.param


# Optional fields


def look_up(image: np.ndarray, places: torch.Tensor) -> np.ndarray:
    """The pixels (..., H, W) of an image at places that are counted row by row."""
    return image.reshape(*image.shape[:-2], -1)[..., places.long().numpy()]


def planes(images: np.ndarray) -> np.ndarray:
    return np.moveaxis(images, -1, -3).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("crop", [None, 32, 64])
def test_fields_show_the_place_that_the_images_show(whole: Path, crop: int | None) -> None:
    data = SpikeBlurDataset(whole, "train", crop=crop, flip=True)
    turned, places = set(), set()
    for seed in range(30):
        item, sample = data[SeededIndex(seed % 2, seed)], make_sample(1 + seed % 2)
        assert sorted(item) == sorted([*PLAIN, *TOYS])
        assert {item[name].dtype for name in TOYS} == {torch.float32}
        depth, cell, motion, shift = (item[name] for name in ("depth", "cell", "motion", "shift"))
        # The toys say which pixels these are: all else must show the same ones.
        assert np.array_equal(item["blur"], look_up(planes(sample.blur), depth))
        assert np.array_equal(item["sharp"], look_up(planes(sample.sharp), depth))
        assert np.array_equal(item["tint"], look_up(planes(sample.extra["tint"]), depth))
        assert np.array_equal(item["spikes"], look_up(sample.spikes[1.0].dense(), cell))
        # Whatever the mirror, motion leads from every pixel to the one centre, which depth finds.
        height, width = depth.shape
        assert motion.shape == (6, 2, height, width)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        ends = motion + torch.stack([x, y])
        assert len(ends.reshape(6, 2, -1).permute(0, 2, 1).reshape(-1, 2).unique(dim=0)) == 1
        column, row = (int(end) for end in ends[0, :, 0, 0])
        if 0 <= row < height and 0 <= column < width:
            assert depth[row, column] == CENTRE[1] * WIDTH + CENTRE[0]
        down, across = bool(depth[0, 0] > depth[-1, 0]), bool(depth[0, 0] > depth[0, -1])
        assert shift.tolist() == [5, -7 if down else 7, 9]
        turned.add((down, across))
        places.add(float(depth.min()))
    assert len(turned) == 4
    assert (len(places) == 1) == (crop is None)


TURNABLE = ("depth", "cell", "motion", "tint")


@pytest.mark.parametrize("crop", [None, 64])
def test_turned_fields_show_the_place_that_the_images_show(whole: Path, crop: int | None) -> None:
    """And motion leads to the one centre, whichever of the eight ways the scene is turned and mirrored."""
    data = SpikeBlurDataset(whole, "train", crop=crop, flip="turn", extra=TURNABLE)
    seen = set()
    for seed in range(24):
        item, sample = data[SeededIndex(seed % 2, seed)], make_sample(1 + seed % 2)
        depth, motion = item["depth"], item["motion"]
        assert np.array_equal(item["blur"], look_up(planes(sample.blur), depth))
        assert np.array_equal(item["tint"], look_up(planes(sample.extra["tint"]), depth))
        assert np.array_equal(item["spikes"], look_up(sample.spikes[1.0].dense(), item["cell"]))
        ends = motion + torch.stack(torch.meshgrid(*map(torch.arange, depth.shape), indexing="ij")[::-1])
        assert len(ends.reshape(6, 2, -1).permute(0, 2, 1).reshape(-1, 2).unique(dim=0)) == 1
        column, row = (int(end) for end in ends[0, :, 0, 0])
        if 0 <= row < depth.shape[0] and 0 <= column < depth.shape[1]:
            assert depth[row, column] == CENTRE[1] * WIDTH + CENTRE[0]
        turned = bool((depth[0, 1] - depth[0, 0]).abs() > 1)
        seen.add((turned, bool(depth[0, 0] > depth[-1, 0]), bool(depth[0, 0] > depth[0, -1])))
    assert len(seen) == 8


def test_fields_that_cannot_be_turned_are_refused(whole: Path) -> None:
    assert [name for name in TOYS if not FIELDS[name].turnable] == ["shift"]
    with pytest.raises(InvalidValueError, match="rows and columns of shift cannot be exchanged; leave turns out, or"):
        SpikeBlurDataset(whole, "train", flip="turn")


def test_steps_lie_between_the_sharp_frames_that_are_read(whole: Path) -> None:
    for sharp, frames in ((None, 7), ("middle", 1), ("none", 0)):
        item = SpikeBlurDataset(whole, "train", sharp=sharp)[1]
        assert item["sharp"].shape == item["tint"].shape == (frames, 3, HEIGHT, WIDTH)
        assert item["motion"].shape == (max(0, frames - 1), 2, HEIGHT, WIDTH)
        assert item["depth"].shape == (HEIGHT, WIDTH)
    middle = SpikeBlurDataset(whole, "train", sharp="middle")[1]["tint"]
    assert np.array_equal(middle, planes(make_sample(2).extra["tint"][3:4]))


def test_what_is_read_can_be_chosen(whole: Path) -> None:
    every = SpikeBlurDataset(whole, "train", crop=32, flip=True)[SeededIndex(0, 1)]
    for extra in ((), ["motion"], ("shift", "depth")):
        item = SpikeBlurDataset(whole, "train", crop=32, flip=True, extra=extra)[SeededIndex(0, 1)]
        assert sorted(item) == sorted([*PLAIN, *extra])
        assert all(torch.equal(item[name], every[name]) for name in ("blur", "spikes", *extra))


def test_items_have_what_every_shard_has(dataset: Path) -> None:
    data = SpikeBlurDataset(dataset, "train")
    (batch,) = torch.utils.data.DataLoader(data, batch_size=4)
    assert batch["depth"].shape == (4, HEIGHT, WIDTH)
    assert batch["shift"].shape == (4, 3)
    assert not {"cell", "motion", "tint"} & batch.keys()
    assert sorted(SpikeBlurDataset(dataset, "test")[0]) == sorted(PLAIN)
    with pytest.raises(InvalidValueError, match=r"no 'motion' in every shard of the split 'train'; .* depth, shift"):
        SpikeBlurDataset(dataset, "train", extra=["motion"])
    with pytest.raises(InvalidValueError, match=r"no 'depth' in every shard of the split 'test'; .* it has nothing"):
        SpikeBlurDataset(dataset, "test", extra=["depth"])


@pytest.mark.parametrize(("extra", "said"), [("depth", "extra must be a list of names"), (5, "extra must be a list"),
                                             ([5], "each of extra must be a str, got int")])  # fmt: skip
def test_what_is_no_list_of_fields_is_refused(dataset: Path, extra: object, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        SpikeBlurDataset(dataset, "train", extra=extra)  # type: ignore[arg-type]


# At which readouts the ground truth lies


def write(root: Path, kind: str, clips: dict[str, tuple[int, ...]]) -> Path:
    """A dataset of clips with ground truth at these readouts, two samples each."""
    for name, sharp in clips.items():
        samples: list[Sample] = [make_sample(window, f"train/{name}", sharp, ()) for window in (1, 2)]
        write_shard(root / f"shards/train/{name}.000.h5", *samples, recipe=field_data.RECIPE)
    if kind == "layout":
        shards_to_layout(root / "shards", root / "layout")
    return root / kind


@pytest.mark.parametrize("kind", ["shards", "layout"])
@pytest.mark.parametrize("stored", [(), MIDDLE, SEVEN])
@pytest.mark.parametrize("sharp", [None, "middle", "none"])
def test_items_say_when_their_ground_truth_is(tmp_path: Path, kind: str, stored: tuple[int, ...], sharp) -> None:
    data = SpikeBlurDataset(write(tmp_path, kind, {"a": stored}), "train", crop=32, sharp=sharp)
    if sharp == "middle" and not stored:
        with pytest.raises(InvalidValueError, match="no ground truth at the middle readout 68"):
            data[0]
        return
    expected = {None: list(stored), "middle": [68], "none": []}[sharp]
    for item in data:
        assert (item["sharp_readouts"].dtype, item["sharp_readouts"].tolist()) == (torch.int64, expected)
        assert len(item["sharp"]) == len(expected)
        assert (item["exposure"].dtype, item["exposure"].tolist()) == (torch.int64, [20, 117])
    (batch,) = torch.utils.data.DataLoader(data, batch_size=2)
    assert batch["sharp_readouts"].dtype == batch["exposure"].dtype == torch.int64
    assert batch["sharp_readouts"].tolist() == [expected, expected]
    assert batch["exposure"].tolist() == [[20, 117], [20, 117]]


@pytest.mark.parametrize("kind", ["shards", "layout"])
def test_shards_with_other_ground_truth_say_so(tmp_path: Path, kind: str) -> None:
    root = write(tmp_path, kind, {"a": MIDDLE, "b": SEVEN})
    found = [item["sharp_readouts"].tolist() for item in SpikeBlurDataset(root, "train")]
    assert found == [[68], [68], [*SEVEN], [*SEVEN]]
    (batch,) = torch.utils.data.DataLoader(SpikeBlurDataset(root, "train", crop=32, sharp="middle"), batch_size=4)
    assert batch["sharp"].shape == (4, 1, 3, 32, 32)
    assert batch["sharp_readouts"].tolist() == 4 * [[68]]


def test_the_frames_are_those_of_the_readouts(tmp_path: Path) -> None:
    root = write(tmp_path, "shards", {"a": SEVEN})
    sample = make_sample(2)
    for sharp in (None, "middle", "none"):
        item = SpikeBlurDataset(root, "train", sharp=sharp)[1]
        for readout, frame in zip(item["sharp_readouts"].tolist(), item["sharp"], strict=True):
            assert np.array_equal(frame, planes(sample.sharp[(readout - PLAN.padding) // 16]))
