"""The folder layout of the S-SDM release: its names and bytes, and a way back that loses nothing."""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shard_data import content

from spikesim import SpikeCamera, SpikeStream
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.exposure import ExposurePlan, Sharp
from spikesim_datasets.layouts import layout_to_shards, open_layout, shards_to_layout
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import Sample, ShardReader, ShardWriter, verify_dataset
from spikesim_datasets.shards.index import INDEX, shard_files, write_index
from spikesim_datasets.shards.writer import Compression

# Spikes are 18×30 = 540 bits a readout: the last byte of each is half full.
HEIGHT, WIDTH = 72, 120
CLIP = "GOPR0372_07_00"


def write_clip(
    path: Path,
    windows: Sequence[int] = (1, 2),
    thresholds: Sequence[float] = (1, 2, 4),
    sharp: Sharp = "middle",
    plan: ExposurePlan | None = None,
    compression: Compression = "zstd",
) -> Path:
    """A shard of random samples, as the builder would name and describe them."""
    plan = plan or ExposurePlan()
    recipe = make_recipe(thresholds, plan=plan, sharp=sharp, compression=compression, seed=3)
    made_by = {"clip": {"key": path.name}, "choices": recipe.choices(), "command": "spikesim build"}
    rng = np.random.default_rng(len(windows))
    with ShardWriter(path, made_by, compression) as writer:
        for window in windows:
            readouts = plan.sharp_readouts(sharp)
            size = (plan.stream_length, HEIGHT // 4, WIDTH // 4)
            sample = Sample(
                path.parent.name,
                path.name.rsplit(".", 2)[0],
                window,
                window * plan.period // plan.factor,
                plan.exposure,
                rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
                rng.integers(0, 256, (len(readouts), HEIGHT, WIDTH, 3), np.uint8),
                readouts,
                {c.v_th: SpikeStream.from_dense(rng.integers(0, 2, size, np.uint8), c) for c in recipe.cameras},
            )
            writer.append(sample)
    return path


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of each split at three thresholds; not to be changed."""
    root = tmp_path_factory.mktemp("dataset")
    write_clip(root / "train" / f"{CLIP}.000.h5", (1, 2))
    write_clip(root / "train" / f"{CLIP}.001.h5", (3,))
    write_clip(root / "test" / "GOPR0384_11_00.000.h5", (1,), sharp="sequence")
    write_index(root, {})
    return root


@pytest.fixture(scope="module")
def layout(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset in the released layout; not to be changed."""
    root = tmp_path_factory.mktemp("parent") / "layout"
    assert shards_to_layout(dataset, root) == 4
    return root


@pytest.fixture
def foreign(layout: Path, tmp_path: Path) -> Path:
    """The same layout as somebody else would publish it: one threshold, no description; to be changed."""
    root = Path(shutil.copytree(layout, tmp_path / "foreign"))
    (root / "spikesim.json").unlink()
    for folder in root.glob("*/spike_data_vth_*"):
        shutil.rmtree(folder)
    return root


# Names and bytes of the release


def test_names(layout: Path) -> None:
    train = [19, 32, 45]
    assert files(layout) == sorted(
        [
            "spikesim.json",
            *(f"train/blur_data/{CLIP}/{number:06d}.png" for number in train),
            *(f"train/sharp_data/{CLIP}/{number:06d}.png" for number in train),
            "test/blur_data/GOPR0384_11_00/000019.png",
            *(f"test/sharp_data/GOPR0384_11_00/{number:06d}.png" for number in (13, 15, 17, 19, 21, 23, 25)),
            *(
                f"{clip}/{number:06d}.dat"
                for folder in ("spike_data", "spike_data_vth_2", "spike_data_vth_4")
                for clip, numbers in ((f"train/{folder}/{CLIP}", train), (f"test/{folder}/GOPR0384_11_00", [19]))
                for number in numbers
            ),
        ]
    )


def test_spikes_are_the_bytes_of_the_field(dataset: Path, layout: Path) -> None:
    with ShardReader(dataset / "train" / f"{CLIP}.000.h5") as shard:
        sample = shard.sample(1)
    for folder, v_th in (("spike_data", 1), ("spike_data_vth_2", 2), ("spike_data_vth_4", 4)):
        dense = sample.spikes[v_th].dense()
        bits = np.packbits(dense[:, ::-1].reshape(137, -1), axis=1, bitorder="little")
        assert (layout / "train" / folder / CLIP / "000032.dat").read_bytes() == bits.tobytes()


def test_images_are_the_pixels(dataset: Path, layout: Path) -> None:
    with ShardReader(dataset / "test" / "GOPR0384_11_00.000.h5") as shard:
        sample = shard.sample(0)
    clip = "GOPR0384_11_00"
    np.testing.assert_array_equal(np.asarray(Image.open(layout / f"test/blur_data/{clip}/000019.png")), sample.blur)
    for number, frame in zip(range(13, 26, 2), sample.sharp, strict=True):
        written = np.asarray(Image.open(layout / f"test/sharp_data/{clip}/{number:06d}.png"))
        np.testing.assert_array_equal(written, frame)


# There and back


def test_nothing_is_lost(dataset: Path, layout: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in layout.rglob("*")}
    assert layout_to_shards(layout, tmp_path / "back") == 4
    assert files(tmp_path / "back") == files(dataset)
    for file in shard_files(dataset):
        assert content(tmp_path / "back" / file.relative_to(dataset)) == content(file)
    assert [check.problem for check in verify_dataset(tmp_path / "back")] == ["", "", ""]
    assert {path: path.stat().st_mtime_ns for path in layout.rglob("*")} == before


@pytest.mark.parametrize(
    ("sharp", "thresholds", "compression", "plan"),
    [
        ("none", (2.5,), "gzip", None),
        ("middle", (0.5, 1), "none", ExposurePlan(frames=4, factor=2, gap=3, padding=5)),
        ("sequence", (1,), "zstd", ExposurePlan(frames=5, factor=3, gap=2, padding=0)),
    ],
)
def test_nothing_is_lost_of_other_recipes(
    tmp_path: Path, sharp: Sharp, thresholds: Sequence[float], compression: Compression, plan: ExposurePlan | None
) -> None:
    shard = write_clip(tmp_path / "there/train/a.b.000.h5", (0, 7), thresholds, sharp, plan, compression)
    shards_to_layout(tmp_path / "there", tmp_path / "layout")
    layout_to_shards(tmp_path / "layout", tmp_path / "back")
    (back,) = shard_files(tmp_path / "back")
    assert back.name == shard.name
    assert content(back) == content(shard)


def test_the_index_of_what_comes_back_has_the_recipe(tmp_path: Path) -> None:
    write_clip(tmp_path / "there/train/a.000.h5")
    shards_to_layout(tmp_path / "there", tmp_path / "layout")
    layout_to_shards(tmp_path / "layout", tmp_path / "back", v_th=1)
    recipe = json.loads((tmp_path / "back" / INDEX).read_text())["recipe"]
    assert recipe["choices"] == make_recipe((1, 2, 4), sharp="middle", seed=3).choices()


# A layout of somebody else


def test_a_foreign_layout_is_read_by_its_names(dataset: Path, foreign: Path, tmp_path: Path) -> None:
    assert layout_to_shards(foreign, tmp_path / "back", v_th=2) == 4
    assert files(tmp_path / "back") == [INDEX, "test/GOPR0384_11_00.000.h5", f"train/{CLIP}.000.h5"]
    with ShardReader(dataset / "train" / f"{CLIP}.001.h5") as shard:
        expected = shard.sample(0)
    with ShardReader(tmp_path / "back/train" / f"{CLIP}.000.h5") as shard:
        assert (shard.windows, shard.first_frames, shard.cameras) == ((1, 2, 3), (13, 26, 39), {2.0: None})
        assert (shard.exposure, shard.sharp_readouts, shard.key) == ((20, 117), (68,), f"train/{CLIP}")
        sample = shard.sample(2)
    np.testing.assert_array_equal(sample.blur, expected.blur)
    np.testing.assert_array_equal(sample.sharp, expected.sharp)
    np.testing.assert_array_equal(sample.spikes[2.0].packed, expected.spikes[1.0].packed)
    with ShardReader(tmp_path / "back/test/GOPR0384_11_00.000.h5") as shard:
        assert shard.sharp_readouts == (20, 36, 52, 68, 84, 100, 116)


def test_a_foreign_layout_may_have_no_ground_truth_and_more_images(foreign: Path, tmp_path: Path) -> None:
    shutil.rmtree(foreign / "train/sharp_data")
    blurs = foreign / "train/blur_data" / CLIP
    shutil.copy(blurs / "000019.png", blurs / "000006.png")  # window 0 has a blur but no stream
    layout_to_shards(foreign, tmp_path / "back", v_th=1)
    with ShardReader(tmp_path / "back/train" / f"{CLIP}.000.h5") as shard:
        assert (shard.windows, shard.sharp_readouts) == ((1, 2, 3), ())
        assert shard.sharp(0).shape == (0, HEIGHT, WIDTH, 3)


def test_what_was_read_from_a_foreign_layout_can_be_written_as_one(foreign: Path, tmp_path: Path) -> None:
    layout_to_shards(foreign, tmp_path / "back", v_th=1)
    shards_to_layout(tmp_path / "back", tmp_path / "again")
    assert files(tmp_path / "again") == sorted([*files(foreign), "spikesim.json"])
    for name in files(foreign):
        if name.endswith(".dat"):
            assert (tmp_path / "again" / name).read_bytes() == (foreign / name).read_bytes()


def test_the_threshold_of_a_foreign_layout_must_be_said(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="foreign does not say its threshold; give it with --vth"):
        layout_to_shards(foreign, tmp_path / "back")
    for v_th in (0, -1, float("nan")):
        with pytest.raises(InvalidValueError, match="v_th must be a positive finite number"):
            layout_to_shards(foreign, tmp_path / "back", v_th=v_th)
    assert not (tmp_path / "back").exists()


def test_the_sensor_of_a_foreign_layout_may_be_said(foreign: Path, tmp_path: Path) -> None:
    layout_to_shards(foreign, tmp_path / "back", v_th=2, preset="realistic")
    with ShardReader(tmp_path / "back/train" / f"{CLIP}.000.h5") as shard:
        assert shard.cameras == {2.0: SpikeCamera.preset("realistic", v_th=2)}
        assert shard.spikes(0).camera == shard.cameras[2.0]
    with pytest.raises(InvalidValueError, match="no camera preset is called 'real'"):
        layout_to_shards(foreign, tmp_path / "other", v_th=2, preset="real")
    assert not (tmp_path / "other").exists()


def test_our_layout_knows_its_threshold_and_its_sensor(layout: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="spike_data has the threshold 1, not 2; leave the threshold out"):
        layout_to_shards(layout, tmp_path / "back", v_th=2)
    with pytest.raises(
        InvalidValueError, match="says which sensors its spikes are from; leave the preset or camera out"
    ):
        layout_to_shards(layout, tmp_path / "back", preset="ssdm")


# Missing and damaged

DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no blur": (f"train/blur_data/{CLIP}/000032.png", Path.unlink, "No such file"),
    "no ground truth": (f"train/sharp_data/{CLIP}/000032.png", Path.unlink, "No such file"),
    "a gap in the sequence": ("test/sharp_data/GOPR0384_11_00/000032.png", Path.unlink, "No such file"),
    "an empty image": (f"train/blur_data/{CLIP}/000032.png", lambda path: path.write_bytes(b""), "cannot be decoded"),
    "no image": (f"train/blur_data/{CLIP}/000032.png", lambda path: path.write_bytes(b"\x89PNG"), "cannot be decoded"),
    "half an image": (
        f"train/blur_data/{CLIP}/000032.png",
        lambda path: path.write_bytes(path.read_bytes()[:999]),
        "cannot be decoded",
    ),
    "ground truth of another size": (
        f"train/sharp_data/{CLIP}/000032.png",
        lambda path: Image.new("RGB", (116, 72)).save(path),
        "is 116×72, its blur is 120×72",
    ),
    "a blur of another size": (
        f"train/blur_data/{CLIP}/000032.png",
        lambda path: Image.new("RGB", (116, 72)).save(path),
        "is 116×72, the first blur of its clip is 120×72",
    ),
    "half a readout": (
        f"train/spike_data/{CLIP}/000032.dat",
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        r"has 9315 bytes, no multiple of the 68 bytes of a readout of 18×30",
    ),
    "a stream of another length": (
        f"train/spike_data/{CLIP}/000032.dat",
        lambda path: path.write_bytes(path.read_bytes()[:-68]),
        "has 136 readouts, a stream of this layout has 137",
    ),
}


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("ours", [True, False])
def test_missing_and_damaged_files_are_named(
    layout: Path, foreign: Path, tmp_path: Path, name: str, damage: Callable[[Path], object], said: str, ours: bool
) -> None:
    # Two windows of the test clip, so that one of them has the whole sequence.
    if ours:
        shutil.copy(layout / "spikesim.json", foreign)
        for folder in layout.glob("*/spike_data_vth_*"):
            shutil.copytree(folder, foreign / folder.relative_to(layout))
        if name.startswith("test"):
            name = name.replace("32", "21")
    else:
        for path in foreign.glob("test/*/*/*"):
            shutil.copy(path, path.with_name(f"{int(path.stem) + 13:06d}{path.suffix}"))
    damage(foreign / name)
    with pytest.raises(InputFileError, match=rf"{name}.*{said}|{said}.*{name}"):
        layout_to_shards(foreign, tmp_path / "back", v_th=1)
    assert not list((tmp_path / "back").rglob(".*"))
    for shard in shard_files(tmp_path / "back"):
        ShardReader(shard).close()


@pytest.mark.parametrize("name", ["000020", "000005", "window_1", "²²²²²²", "٠٠٠٠١٩"])
def test_names_that_are_no_middle_frame_are_refused(foreign: Path, tmp_path: Path, name: str) -> None:
    folder = foreign / "train/spike_data" / CLIP
    (folder / "000019.dat").rename(folder / f"{name}.dat")
    with pytest.raises(InputFileError, match=rf"{name}\.dat is not named by the middle frame of an exposure \(000006,"):
        layout_to_shards(foreign, tmp_path / "back", v_th=1)


def test_a_clip_without_spikes_is_named(foreign: Path, tmp_path: Path) -> None:
    for path in (foreign / "train/spike_data" / CLIP).iterdir():
        path.unlink()
    with pytest.raises(InputFileError, match=rf"{CLIP} holds no \.dat files"):
        layout_to_shards(foreign, tmp_path / "back", v_th=1)


def test_what_is_neither_layout_nor_dataset(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="empty is not in the released layout"):
        layout_to_shards(tmp_path / "empty", tmp_path / "back", v_th=1)
    with pytest.raises(InputFileError, match="empty holds no shards to convert"):
        shards_to_layout(tmp_path / "empty", tmp_path / "layout")


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        record = json.loads(text)
        change(record)
        return json.dumps(record)

    return edit


DESCRIPTIONS: dict[str, Callable[[str], str]] = {
    "half": lambda text: text[:100],
    "a list": lambda text: "[]",
    "no schema": edited(lambda record: record.pop("schema")),
    "another schema": edited(lambda record: record.update(schema="spikesim.layout/2")),
    "a shard that is none": edited(lambda record: record["shards"].append({})),
    "an unknown entry": edited(lambda record: record["shards"][0].update(colour="red")),
    "no released spikes": edited(lambda record: record["shards"][0]["spikes"].pop("spike_data")),
    "a camera that is none": edited(lambda record: record["shards"][0]["spikes"]["spike_data"].update(camera=[3])),
    "an unknown compression": edited(lambda record: record["shards"][0].update(compression="lzf")),
    "a way out": edited(lambda record: record["shards"][0].update(path="../../escaped.000.h5")),
    "an absolute way out": edited(lambda record: record["shards"][0].update(path="/train/escaped.000.h5")),
    "a key that is none": edited(lambda record: record["shards"][0].update(key="train")),
    "no key": edited(lambda record: record["shards"][0].pop("key")),
    "fields that are none": edited(lambda record: record["shards"][0].update(extra=5)),
    "no exposure": edited(lambda record: record["shards"][0]["recipe"]["choices"].pop("plan")),
    "a path twice": edited(lambda record: record["shards"][2].update(path=record["shards"][1]["path"])),
    "a sample twice": edited(lambda record: record["shards"][2].update(windows=record["shards"][1]["windows"][:1])),
    "a ground truth twice": edited(lambda record: record["shards"][0].update(sharp_readouts=[68, 69])),
    "a path of no shard": edited(lambda record: record["shards"][0].update(path="test/GOPR0384_11_00.000.dat")),
    "a path beside the splits": edited(lambda record: record["shards"][0].update(path="GOPR0384_11_00.000.h5")),
    "the path of the index": edited(lambda record: record["shards"][0].update(path=INDEX)),
}


@pytest.mark.parametrize("damage", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_damaged_description_is_refused(layout: Path, tmp_path: Path, damage: Callable[[str], str]) -> None:
    root = Path(shutil.copytree(layout, tmp_path / "layout"))
    path = root / "spikesim.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputFileError, match=r"spikesim\.json is no description of a layout \(.*\); remove it"):
        layout_to_shards(root, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_shards_that_do_not_say_their_exposure_have_no_names(dataset: Path, tmp_path: Path) -> None:
    with ShardReader(dataset / "train" / f"{CLIP}.000.h5") as shard:
        sample = shard.sample(0)
    with ShardWriter(tmp_path / "there/train/a.000.h5", {"made": "by hand"}) as writer:
        writer.append(sample)
    with pytest.raises(InvalidValueError, match=r"train/a\.000\.h5 does not say how its clip is cut into exposures"):
        shards_to_layout(tmp_path / "there", tmp_path / "layout")


def test_shards_that_would_be_the_same_files_are_refused(tmp_path: Path) -> None:
    """As where two builds of one clip were put into one folder."""
    for build in ("one", "two"):
        shard = write_clip(tmp_path / "train/a.000.h5")
        (tmp_path / "there/train" / build).mkdir(parents=True)
        shard.rename(tmp_path / "there/train" / build / shard.name)
    both = r"train/one/a\.000\.h5 and train/two/a\.000\.h5 would give spike_data/a/000019 of the split train more than"
    with pytest.raises(InvalidValueError, match=both):
        shards_to_layout(tmp_path / "there", tmp_path / "layout")
    assert not (tmp_path / "layout").exists()


def test_sharp_frames_between_raw_frames_would_have_one_name(dataset: Path, tmp_path: Path) -> None:
    with ShardReader(dataset / "train" / f"{CLIP}.000.h5") as shard:
        sample = replace(shard.sample(0), sharp=np.zeros((2, HEIGHT, WIDTH, 3), np.uint8), sharp_readouts=(68, 69))
        recipe = shard.recipe
    with ShardWriter(tmp_path / "there/train/a.000.h5", recipe) as writer:
        writer.append(sample)
    with pytest.raises(InvalidValueError, match=rf"^train/a\.000\.h5 would give sharp_data/{CLIP}/000019 of"):
        shards_to_layout(tmp_path / "there", tmp_path / "layout")
    assert not (tmp_path / "layout").exists()


@pytest.mark.parametrize("taken", [lambda out: out.mkdir() or (out / "mine").touch(), lambda out: out.touch()])
def test_what_is_there_is_not_written_over(
    dataset: Path, layout: Path, tmp_path: Path, taken: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    taken(out)
    before = files(tmp_path)
    for convert, source in ((shards_to_layout, dataset), (layout_to_shards, layout)):
        with pytest.raises(OutputError, match=r"out(: File exists| exists already and is not an empty folder); choose"):
            convert(source, out)
    assert files(tmp_path) == before


def test_arguments_of_another_type_are_refused(dataset: Path, layout: Path, tmp_path: Path) -> None:
    wrong: list[tuple[Callable[..., object], tuple[object, ...], str]] = [
        (shards_to_layout, (5, tmp_path), "dataset must be a path"),
        (shards_to_layout, (dataset, None), "out must be a path"),
        (layout_to_shards, (5, tmp_path), "layout must be a path"),
        (layout_to_shards, (layout, 5), "out must be a path"),
        (layout_to_shards, (layout, tmp_path, "1"), "v_th must be a positive finite number"),
        (open_layout, (5, "train"), "path must be a path"),
        (open_layout, (layout, 5), "split must be a str, got int"),
    ]
    for call, arguments, said in wrong:
        with pytest.raises(InvalidValueError, match=said):
            call(*arguments)
    assert not any(tmp_path.iterdir())


def test_a_clip_has_a_split_and_a_name(layout: Path) -> None:
    test = open_layout(layout, "test")
    with closing(test.open_shard(test.locate(0)[0])) as clip:
        assert (clip.split, clip.name, clip.key) == ("test", "GOPR0384_11_00", "test/GOPR0384_11_00")
        for number in (-1, 1):
            with pytest.raises(InvalidValueError, match=rf"samples 0\.\.0, not {number}"):
                clip.blur(number)
    assert (test[0].split, test[0].name) == ("test", "GOPR0384_11_00")


def test_an_empty_folder_may_be_filled(dataset: Path, tmp_path: Path) -> None:
    assert shards_to_layout(dataset, tmp_path) == 4


def test_cameras_come_back(layout: Path, tmp_path: Path) -> None:
    layout_to_shards(layout, tmp_path / "back")
    with ShardReader(tmp_path / "back/train" / f"{CLIP}.001.h5") as shard:
        assert shard.cameras == {v_th: SpikeCamera.preset("ssdm", v_th=v_th) for v_th in (1.0, 2.0, 4.0)}
