"""Samples for training: what an item holds, crops, and loaders with workers of every kind."""

import pickle
import sys
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from spikesim import SpikeCamera, SpikeStream
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.keys import parse_key
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample

torch = pytest.importorskip("torch", reason="torch is an extra")

from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset  # noqa: E402

HEIGHT, WIDTH, READOUTS = 100, 132, 13  # spikes of 25×33: neither a whole number of bytes nor of crops
EXPOSURE = (2, 11)
SHARP = (2, 6, 10)


def make_sample(rng: np.random.Generator, key: str, window: int, sharp: tuple[int, ...]) -> Sample:
    def pixels(*shape: int) -> np.ndarray:
        return rng.integers(0, 256, (*shape, HEIGHT, WIDTH, 3), np.uint8)

    spikes = {
        v_th: SpikeStream.from_dense(
            rng.integers(0, 2, (READOUTS, HEIGHT // 4, WIDTH // 4), np.uint8), SpikeCamera(v_th=v_th)
        )
        for v_th in (1.0, 2.5)
    }
    return Sample(*parse_key(key), window, 3 * window, EXPOSURE, pixels(), pixels(len(sharp)), sharp, spikes)


def write_dataset(root: Path, shards: dict[str, int], sharp: tuple[int, ...] = SHARP) -> list[Sample]:
    """A dataset of shards with so many samples each, and the samples."""
    rng = np.random.default_rng(0)
    samples = []
    for key, count in shards.items():
        with ShardWriter(root / f"{key}.000.h5", {}, "none") as writer:
            for window in range(1, count + 1):
                samples.append(make_sample(rng, key, window, sharp))
                writer.append(samples[-1])
    return samples


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dataset")


@pytest.fixture(scope="module")
def samples(root: Path) -> list[Sample]:
    return write_dataset(root, {"train/a": 2, "train/b": 3})


def image(array: np.ndarray) -> np.ndarray:
    """(..., H, W, 3) of 0..255 as (..., 3, H, W) in [0, 1]."""
    return np.einsum("...hwc->...chw", array).astype(np.float32) / np.float32(255)


# What an item holds


def test_an_item_holds_its_sample(root, samples):
    dataset = SpikeBlurDataset(root, "train", v_th=2.5)
    assert len(dataset) == 5
    for item, sample in zip(dataset, samples, strict=True):
        assert list(item) == ["blur", "spikes", "sharp", "v_th", "key", "window", "sharp_readouts", "exposure"]
        assert {item[name].dtype for name in ("blur", "spikes", "sharp")} == {torch.float32}
        assert item["blur"].shape == (3, 100, 132)
        assert item["spikes"].shape == (13, 25, 33)
        assert item["sharp"].shape == (3, 3, 100, 132)
        assert np.array_equal(item["blur"], image(sample.blur))
        assert np.array_equal(item["spikes"], sample.spikes[2.5].dense())
        assert np.array_equal(item["sharp"], image(sample.sharp))
        assert (item["v_th"], item["key"], item["window"]) == (2.5, sample.key, sample.window)
        assert (type(item["v_th"]), type(item["window"])) == (float, int)


def test_images_span_zero_to_one_exactly(tmp_path):
    sample = make_sample(np.random.default_rng(0), "train/a", 1, SHARP)
    sample.blur[:50], sample.blur[50:] = 0, 255
    with ShardWriter(tmp_path / "train" / "a.000.h5", {}, "none") as writer:
        writer.append(sample)
    blur = SpikeBlurDataset(tmp_path, "train")[0]["blur"]
    assert torch.equal(blur.unique(), torch.tensor([0.0, 1.0]))


def test_items_are_found_from_either_end_and_nowhere_else(root, samples):
    dataset = SpikeBlurDataset(root, "train")
    assert [dataset[i]["window"] for i in (0, 1, 2, 4, -1, -5)] == [1, 2, 1, 3, 3, 1]
    for outside in (5, -6):
        with pytest.raises(IndexError, match="5 samples, there is no sample"):
            dataset[outside]


def test_ground_truth_can_be_all_the_middle_or_none(root, samples):
    every, middle, none = (
        SpikeBlurDataset(root, "train", sharp=sharp)[3]["sharp"] for sharp in (None, "middle", "none")
    )
    assert np.array_equal(every, image(samples[3].sharp))
    assert np.array_equal(middle, image(samples[3].sharp[1:2]))
    assert none.shape == (0, 3, 100, 132)


def test_a_dataset_without_ground_truth_still_gives_items(tmp_path):
    write_dataset(tmp_path, {"train/a": 1}, sharp=())
    assert SpikeBlurDataset(tmp_path, "train")[0]["sharp"].shape == (0, 3, 100, 132)
    assert SpikeBlurDataset(tmp_path, "train", crop=32)[0]["sharp"].shape == (0, 3, 32, 32)
    with pytest.raises(InvalidValueError, match=r"no ground truth at the middle readout 6, only at \[\]"):
        SpikeBlurDataset(tmp_path, "train", sharp="middle")[0]


# Crops


def place_of(item: dict, sample: Sample) -> tuple[int, int]:
    """The only place of the sample, in spike pixels, that has the item's spikes."""
    whole, crop = sample.spikes[1.0].dense(), item["spikes"].numpy()
    side = crop.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(whole, (side, side), axis=(1, 2))
    (place,) = np.argwhere((windows == crop[:, None, None]).all(axis=(0, 3, 4)))
    return int(place[0]), int(place[1])


def test_crops_of_blur_sharp_and_spikes_show_the_same_place(root, samples):
    dataset = SpikeBlurDataset(root, "train", crop=64)
    torch.manual_seed(0)
    places = set()
    for draw in range(60):
        item, sample = dataset[draw % 5], samples[draw % 5]
        assert item["spikes"].shape == (13, 16, 16)
        top, left = place_of(item, sample)
        rows, columns = slice(4 * top, 4 * top + 64), slice(4 * left, 4 * left + 64)
        assert np.array_equal(item["blur"], image(sample.blur[rows, columns]))
        assert np.array_equal(item["sharp"], image(sample.sharp[:, rows, columns]))
        places.add((top, left))
    assert {top for top, _ in places} == set(range(10))
    assert {left for _, left in places} == {0, 8, 16}


def test_crops_are_drawn_from_torchs_generator(root, samples):
    dataset = SpikeBlurDataset(root, "train", crop=32)
    draws = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        draws.append([dataset[0]["spikes"] for _ in range(4)])
    assert all(map(torch.equal, draws[0], draws[1]))
    assert not all(map(torch.equal, draws[0], draws[2]))


def test_a_crop_of_the_whole_height_fits(tmp_path):
    rng = np.random.default_rng(0)
    sample = make_sample(rng, "train/a", 1, SHARP)
    spikes = {1.0: SpikeStream.from_dense(rng.integers(0, 2, (READOUTS, 24, 32), np.uint8))}
    low = Sample("train", "a", 1, 3, EXPOSURE, sample.blur[:96, :128], sample.sharp[:, :96, :128], SHARP, spikes)
    with ShardWriter(tmp_path / "train" / "a.000.h5", {}, "none") as writer:
        writer.append(low)
    item = SpikeBlurDataset(tmp_path, "train", crop=96)[0]
    assert place_of(item, low)[0] == 0
    assert item["blur"].shape == (3, 96, 96)


@pytest.mark.parametrize("crop", [0, -32, 16, 48, 100])
def test_a_crop_that_is_no_multiple_of_32_is_refused(root, samples, crop):
    with pytest.raises(InvalidValueError, match=f"crop must be a positive multiple of 32 pixels, got {crop}"):
        SpikeBlurDataset(root, "train", crop=crop)


def test_a_crop_larger_than_the_images_is_refused(root, samples):
    with pytest.raises(InvalidValueError, match=r"crop 128 is larger than the images of .*train/a\.000\.h5, 132×100"):
        SpikeBlurDataset(root, "train", crop=128)[0]


# SeededBatches


def test_mirrored_items_are_mirrored_alike(root, samples):
    dataset = SpikeBlurDataset(root, "train", flip=True)
    torch.manual_seed(0)
    seen = set()
    for _ in range(20):
        item = dataset[0]
        for axes in ((), (-1,), (-2,), (-1, -2)):
            if torch.equal(item["blur"].flip(axes), torch.from_numpy(image(samples[0].blur))):
                seen.add(axes)
                assert np.array_equal(item["spikes"].flip(axes), samples[0].spikes[1.0].dense())
                assert np.array_equal(item["sharp"].flip(axes), image(samples[0].sharp))
                break
        else:
            pytest.fail("an item is no mirror image of its sample")
    assert seen == {(), (-1,), (-2,), (-1, -2)}


@pytest.mark.parametrize("crop", [None, 64])
def test_turned_items_are_turned_alike(root, samples, crop):
    """Each is one of the eight that the scene can be turned and mirrored to; all that is in it is the same one."""
    dataset = SpikeBlurDataset(root, "train", crop=crop, flip="turn", neighbours=True)
    seen = set()
    for seed in range(48):
        item, sample = dataset[SeededIndex(3, seed)], samples[3]
        for turned, axes in product((False, True), ((), (-1,), (-2,), (-1, -2))):
            back = {name: item[name].mT if turned else item[name] for name in ("blur", "spikes", "sharp", "neighbours")}
            back = {name: value.flip(axes) for name, value in back.items()}
            top, left = place_in(sample, back["spikes"])
            if top is None:
                continue
            seen.add((turned, axes))
            height, width = back["blur"].shape[1:]
            rows, columns = slice(4 * top, 4 * top + height), slice(4 * left, 4 * left + width)
            for name, whole in (
                ("blur", sample.blur),
                ("sharp", sample.sharp),
                ("neighbours", np.stack([samples[2].blur, samples[4].blur])),
            ):
                assert np.array_equal(back[name], image(whole[..., rows, columns, :]))
            break
        else:
            pytest.fail("an item shows no place of its sample")
    assert len(seen) == 8


def place_in(sample: Sample, spikes: torch.Tensor) -> tuple[int | None, int | None]:
    """Where in a sample spikes lie, in spike pixels; nowhere, if not in it."""
    whole, (_, height, width) = sample.spikes[1.0].dense(), spikes.shape
    if height > whole.shape[1] or width > whole.shape[2]:
        return None, None
    windows = np.lib.stride_tricks.sliding_window_view(whole, (height, width), axis=(1, 2))
    found = np.argwhere((windows == spikes.numpy()[:, None, None]).all(axis=(0, 3, 4)))
    return (int(found[0][0]), int(found[0][1])) if len(found) else (None, None)


@pytest.mark.parametrize("flip", [False, True])
def test_without_turns_nothing_more_is_drawn(root, samples, flip, monkeypatch):
    """Trainings of earlier versions go on with the crops and mirrors that they were begun with."""
    dataset = SpikeBlurDataset(root, "train", (1, 2.5), 32, "one", flip=flip)
    drawn = []
    monkeypatch.setattr(
        "spikesim_datasets.samples._below", lambda limit, generator: drawn.append(limit) or int(limit > 2)
    )
    dataset[SeededIndex(0, 5)]
    assert drawn == [18, 4, 2, *([2, 2] if flip else []), 3]  # top, left, threshold, mirrors, frame


def test_crops_are_those_of_earlier_versions(root, samples):
    dataset = SpikeBlurDataset(root, "train", (1, 2.5), 32, "one", flip=True)
    generator = torch.Generator().manual_seed(5)
    draws = [int(torch.randint(limit, (), generator=generator)) for limit in (18, 4, 2, 2, 2, 3)]
    top, left, threshold, down, across, frame = draws
    rows, columns = slice(4 * top, 4 * top + 32), slice(32 * left, 32 * left + 32)
    axes = [axis for axis, mirrored in ((-2, down), (-1, across)) if mirrored]
    item = dataset[SeededIndex(0, 5)]
    assert item["v_th"] == (1, 2.5)[threshold]
    assert np.array_equal(item["blur"].flip(axes), image(samples[0].blur[rows, columns]))
    assert np.array_equal(item["sharp"][0].flip(axes), image(samples[0].sharp[frame, rows, columns]))


def test_each_item_has_the_spikes_of_one_of_several_thresholds(root, samples):
    dataset = SpikeBlurDataset(root, "train", v_th=(1, 2.5))
    torch.manual_seed(0)
    items = [dataset[1] for _ in range(20)]
    assert {item["v_th"] for item in items} == {1.0, 2.5}
    for item in items:
        assert np.array_equal(item["spikes"], samples[1].spikes[item["v_th"]].dense())


def test_a_draw_depends_on_its_seed_alone(root, samples):
    dataset = SpikeBlurDataset(root, "train", v_th=(1, 2.5), crop=32, flip=True)
    draws = [SeededIndex(number % 5, seed) for number, seed in enumerate((5, 6, 7, 5, 6, 2**62))]
    expected = [dataset[draw] for draw in draws]
    torch.manual_seed(1)
    for draw, item in reversed(list(zip(draws, expected, strict=True))):
        assert same(dataset[draw], item)
    before = torch.get_rng_state()
    dataset[draws[0]]
    assert torch.equal(torch.get_rng_state(), before)
    others = [dataset[SeededIndex(0, seed)] for seed in range(20)]
    assert len({(item["v_th"], item["blur"].numpy().tobytes()) for item in others}) > 15


# The released layout


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A dataset of a real build, whose layout has names."""
    root = tmp_path_factory.mktemp("clip")
    plan = ExposurePlan()
    rng = np.random.default_rng(1)
    with ShardWriter(root / "test/a.000.h5", {"choices": {"plan": asdict(plan)}}, "none") as writer:
        for window in (1, 2):
            spikes = {
                v_th: SpikeStream.from_dense(rng.integers(0, 2, (137, 25, 33), np.uint8), SpikeCamera(v_th=v_th))
                for v_th in (1.0, 2.0)
            }
            images = rng.integers(0, 256, (8, 100, 132, 3), np.uint8)
            readouts = plan.sharp_readouts("sequence")
            sample = Sample("test", "a", window, 13 * window, plan.exposure, images[0], images[1:], readouts, spikes)
            writer.append(sample)
    return root


def test_a_folder_of_the_release_gives_the_items_of_the_shards(clip, tmp_path):
    shards_to_layout(clip, tmp_path / "layout")
    choices = {"split": "test", "v_th": (1, 2), "crop": 64, "sharp": "middle", "flip": True}
    first, second = (SpikeBlurDataset(folder, **choices) for folder in (clip, tmp_path / "layout"))
    assert len(second) == 2
    for seed in range(6):
        assert same(first[SeededIndex(seed % 2, seed)], second[SeededIndex(seed % 2, seed)])
    whole = SpikeBlurDataset(clip, "test"), SpikeBlurDataset(tmp_path / "layout", "test")
    assert same(whole[0][1], whole[1][1])
    loader = torch.utils.data.DataLoader(whole[1], batch_size=None, num_workers=1, multiprocessing_context="spawn")
    assert same(list(loader)[1], whole[0][1])


def test_a_foreign_folder_has_the_threshold_that_is_said(clip, tmp_path):
    shards_to_layout(clip, tmp_path / "layout")
    (tmp_path / "layout/spikesim.json").unlink()
    dataset = SpikeBlurDataset(tmp_path / "layout", "test", v_th=4)
    assert [item["v_th"] for item in dataset] == [4.0, 4.0]
    assert torch.equal(dataset[0]["spikes"], SpikeBlurDataset(clip, "test", v_th=1)[0]["spikes"])
    with pytest.raises(InvalidValueError, match="has no spikes of threshold 2 in the split 'test'; it has 4"):
        SpikeBlurDataset(tmp_path / "layout", "test", v_th=(4, 2))
    with pytest.raises(InvalidValueError, match="has no samples of the split 'train'; it has test"):
        SpikeBlurDataset(tmp_path / "layout", "train")
    (tmp_path / "layout/test/blur_data/a/000019.png").unlink()
    with pytest.raises(InputFileError, match=r"blur_data/a/000019\.png"):
        dataset[0]


# Bad input


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"split": "val"}, "has no samples of the split 'val'; it has train$"),
        ({"split": "train", "v_th": 4}, "has no spikes of threshold 4 in the split 'train'; it has 1, 2.5$"),
        ({"split": "train", "v_th": ()}, "need at least one threshold"),
        ({"split": "train", "sharp": "sequence"}, r"sharp must be None \(all there is\), 'middle', 'one' or 'none'"),
    ],
)
def test_what_a_dataset_does_not_have_is_refused_with_what_it_has(root, samples, choices, what):
    with pytest.raises(InvalidValueError, match=what):
        SpikeBlurDataset(root, **choices)


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"path": 5}, "path must be a path, as text or as a Path, got 5"),
        ({"split": 5}, "split must be a str, got int"),
        ({"v_th": None}, "v_th must be a finite number, got None"),
        ({"v_th": "1"}, "v_th must be a finite number, got '1'"),
        ({"v_th": [1.0, "2.5"]}, "v_th must be a finite number, got '2.5'"),
        ({"crop": "32"}, "crop must be a whole number of pixels, got '32'"),
        ({"crop": 32.0}, r"crop must be a whole number of pixels, got 32\.0"),
        ({"sharp": 1}, r"sharp must be None \(all there is\), 'middle', 'one' or 'none', got 1"),
        ({"flip": "yes"}, "flip must be True, False or 'turn', got 'yes'"),
    ],
)
def test_arguments_of_another_type_are_refused(root, samples, choices, what):
    with pytest.raises(InvalidValueError, match=what):
        SpikeBlurDataset(**{"path": root, "split": "train", **choices})


def test_a_missing_dataset_says_what_makes_one(tmp_path):
    with pytest.raises(InputFileError, match=r"there is no dataset at .*build-gopro"):
        SpikeBlurDataset(tmp_path / "nothing", "train")


# Processes


def same(item: dict, other: dict) -> bool:
    return all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in item.items()
    )


@pytest.mark.parametrize("used", [False, True])
def test_a_dataset_is_pickled_without_its_open_files(root, samples, used):
    dataset = SpikeBlurDataset(root, "train", v_th=2.5, sharp="middle")
    expected = dataset[4] if used else None
    again = pickle.loads(pickle.dumps(dataset))
    assert same(again[4], expected or dataset[4])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine of one core
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python ≥ 3.12 warns of any fork beside threads
def test_workers_give_what_the_process_itself_gives(root, samples, method):
    dataset = SpikeBlurDataset(root, "train", v_th=2.5)
    here = [dataset[i] for i in range(len(dataset))]  # the files are open when the workers start
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
    there = list(loader)
    assert len(there) == 5
    assert all(map(same, here, there))
    assert same(dataset[0], here[0])  # and the parent reads on


def test_a_batch_collates(root, samples):
    (batch,) = torch.utils.data.DataLoader(SpikeBlurDataset(root, "train", crop=32), batch_size=5)
    assert batch["blur"].shape == (5, 3, 32, 32)
    assert batch["spikes"].shape == (5, 13, 8, 8)
    assert batch["key"] == ["train/a"] * 2 + ["train/b"] * 3
    assert batch["window"].tolist() == [1, 2, 1, 2, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files by /proc")
def test_many_shards_are_not_all_kept_open(tmp_path):
    written = write_dataset(tmp_path, {f"train/{i:02d}": 1 for i in range(20)}, sharp=())
    dataset = SpikeBlurDataset(tmp_path, "train", crop=32)

    def opened() -> int:
        links = list(Path("/proc/self/fd").iterdir())  # one is the listing's own and gone by now
        return sum(link.is_symlink() and link.readlink().is_relative_to(tmp_path) for link in links)

    for _ in range(2):
        assert [dataset[i]["key"] for i in range(20)] == [sample.key for sample in written]
        assert 0 < opened() <= 16
    del dataset
    assert opened() == 0
