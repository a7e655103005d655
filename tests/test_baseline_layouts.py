"""Datasets as the code of published methods reads them: what their loaders would find, read here in the same order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from commands import Run, assert_refused, command, dataset, files, frames, run  # noqa: F401
from PIL import Image

from spikesim import SpikeCamera, SpikeStream, read_spikes
from spikesim_datasets.exposure import ExposurePlan, Sharp
from spikesim_datasets.layouts import Tool, shards_to_tool
from spikesim_datasets.layouts.tool_folders import TOOLS
from spikesim_datasets.progress import Progress
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import Sample, ShardWriter, open_dataset

SPLITS = "train", "test"
ROWS, COLUMNS = 10, 12  # of spikes
PLAN = ExposurePlan()
BOTH = (1.0, 2.0)


@dataclass
class Clip:
    """A clip of noise: raw frames, readouts of all its time, and the shards that hold its exposures.

    Its spikes are those of one recording, so neighbouring streams have readouts in common.
    """

    root: Path
    key: str = "train/clip"
    windows: Sequence[int] = (1, 2, 3)
    sharp: Sharp = "sequence"
    plan: ExposurePlan = PLAN
    ratio: int = 2
    thresholds: Sequence[float] = BOTH
    size: tuple[int, int] = (ROWS, COLUMNS)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(sum(map(ord, self.key)))
        self.split, self.name = self.key.split("/", 1)
        last, (rows, columns) = max(self.windows) + 2, self.size
        raw = last * self.plan.period // self.plan.factor
        self.frames = rng.integers(0, 256, (raw, rows * self.ratio, columns * self.ratio, 3), np.uint8)
        self.blurs = rng.integers(0, 256, (last, *self.frames.shape[1:]), np.uint8)
        readouts = last * self.plan.period
        self.spikes = {v_th: rng.integers(0, 2, (readouts, rows, columns), np.uint8) for v_th in self.thresholds}

    def write(self, shards: int = 1) -> "Clip":
        """So many shards of its exposures, one after the other."""
        for number, windows in enumerate(np.array_split(self.windows, shards)):
            recipe = make_recipe(self.thresholds, plan=self.plan, sharp=self.sharp, ratio=self.ratio)
            path = self.root / self.split / f"{self.name}.{number:03d}.h5"
            with ShardWriter(path, {"choices": recipe.choices()}, "zstd") as writer:
                for window in windows.tolist():
                    writer.append(self.sample(window))
        return self

    def sample(self, window: int) -> Sample:
        plan, first = self.plan, window * self.plan.period
        readouts = plan.sharp_readouts(self.sharp)
        begin = first - plan.padding
        return Sample(
            self.split,
            self.name,
            window,
            first // plan.factor,
            plan.exposure,
            self.blurs[window],
            self.frames[first // plan.factor + np.array(plan.sharp_frames(self.sharp), int)],
            readouts,
            {
                v_th: SpikeStream.from_dense(spikes[begin : begin + plan.stream_length], SpikeCamera(v_th=v_th))
                for v_th, spikes in self.spikes.items()
            },
        )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def pixels(path: Path | str) -> np.ndarray:
    image = Image.open(path)
    assert image.mode == "RGB"
    return np.asarray(image)


# SpkDeblurNet


def found_by_spkdeblurnet(root: Path, split: str) -> list[tuple[str, np.ndarray, np.ndarray, Path]]:
    """Name, blurry image, sharp image and file of spikes of each sample, as its loader comes by them."""
    found = []
    clips = names(root / "GOPRO_Large" / split)
    clips.remove(".DS_Store")  # which is an error where there is none
    for clip in clips:
        for name in names(root / "GOPRO_Large" / split / clip / "blur_gamma"):
            blur = f"{root}/GOPRO_Large/{split}/{clip}/blur_gamma/{name}"
            spikes = blur.replace("GOPRO_Large", "GOPRO_Large_spike_seq").replace("blur_gamma", "spike")
            sharp = blur.replace("blur_gamma", "sharp")
            found.append((f"{clip}/{name}", pixels(blur), pixels(sharp), Path(spikes[:-3] + "dat")))
    return found


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_spkdeblurnet_finds_56_readouts_at_half_the_size(tmp_path: Path, ratio: int) -> None:
    clips = [Clip(tmp_path / "data", f"{split}/GOPR_{ratio}", (1, 2), ratio=ratio).write(2) for split in SPLITS]
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", "spk-gopro", 2) == 4
    for clip in clips:
        found = found_by_spkdeblurnet(tmp_path / "out", clip.split)
        assert [name for name, *_ in found] == [f"GOPR_{ratio}/000019.png", f"GOPR_{ratio}/000032.png"]
        for window, (_, blur, sharp, path) in zip((1, 2), found, strict=True):
            assert np.array_equal(blur, clip.blurs[window])
            assert np.array_equal(sharp, clip.frames[13 * window + 6])
            height, width = blur.shape[0] // 2, blur.shape[1] // 2
            bits = np.unpackbits(np.fromfile(path, np.uint8), bitorder="little").reshape(-1, height, width)
            seen = bits[len(bits) // 2 - 28 : len(bits) // 2 + 28, ::-1]
            assert len(seen) == len(bits) == 56
            # The first of the second half is the readout of the sharp frame.
            middle = 104 * window + 48
            expected = clip.spikes[2.0][middle - 28 : middle + 28]
            assert np.array_equal(seen, np.kron(expected, np.ones((1, ratio // 2, ratio // 2), np.uint8)))


def test_the_least_streams_have_56_readouts(tmp_path: Path) -> None:
    plan = ExposurePlan(frames=7, padding=4)  # streams of 57 with their middle at 28
    clip = Clip(tmp_path / "data", plan=plan, sharp="middle", thresholds=(2,)).write()
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", "spk-gopro") == 3
    *_, path = found_by_spkdeblurnet(tmp_path / "out", "train")[0]
    bits = np.unpackbits(np.fromfile(path, np.uint8), bitorder="little").reshape(56, ROWS, COLUMNS)
    assert np.array_equal(bits[:, ::-1], clip.spikes[2][plan.period - 4 : plan.period + 52])


# REFID


@dataclass
class Pair:
    """Files that REFID's loader takes for two blurry images."""

    blur: list[Path]
    sharp: list[Path]
    events: list[Path]


def found_by_refid(root: Path, split: str, clip: str, m: int, n: int) -> list[Pair]:
    """The samples of a clip: pairs from the second blurry image on, by places in sorted lists."""
    blur, sharp = (sorted((root / split / clip / name).rglob("*.png")) for name in ("blur", "gt"))
    events = sorted((root / f"{split}_event" / clip).rglob("*.npz"))
    step = m + n
    return [
        Pair(blur[i : i + 2], sharp[i * step : (i + 1) * step + m], events[i * step - 1 : (i + 1) * step + m])
        for i in range(1, len(blur) - 1)
    ]


def events_of(paths: Sequence[Path]) -> np.ndarray:
    """Time, x, y and polarity of each event, float32 (N, 4), one file after the other."""
    columns = ("timestamp", "x", "y", "polarity")
    read = [np.load(path) for path in paths]
    return np.concatenate([np.stack([file[name].astype(np.float32) for name in columns], 1) for file in read])


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
def test_refid_finds_two_exposures_and_the_events_around_them(tmp_path: Path, ratio: int) -> None:
    clips = [Clip(tmp_path / "data", f"{split}/clip", (1, 2, 3, 4), ratio=ratio).write(3) for split in SPLITS]
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", "refid", 1) == 8
    for clip in clips:
        pairs = found_by_refid(tmp_path / "out", clip.split, "clip", m=7, n=0)
        assert len(pairs) == 2
        for first, pair in zip((2, 3), pairs, strict=True):
            windows = (first, first + 1)
            assert (len(pair.blur), len(pair.sharp), len(pair.events)) == (2, 14, 15)
            raw = [13 * window + frame for window in windows for frame in range(0, 13, 2)]
            for path, image in zip(
                (*pair.blur, *pair.sharp), (*clip.blurs[list(windows)], *clip.frames[raw]), strict=True
            ):
                mean = image.reshape(ROWS, ratio, COLUMNS, ratio, 3).mean((1, 3))
                assert pixels(path).shape == (ROWS, COLUMNS, 3)
                assert np.abs(pixels(path) - mean).max() <= 0.5
            # From the last frame before the first exposure to the first one after the second, nothing twice.
            start, stop = 104 * first - 8, 104 * (first + 2)
            time, x, y, polarity = events_of(pair.events).T
            assert np.all(np.diff(time) >= 0)
            assert np.all(polarity == 1)
            seen = np.zeros((stop - start, ROWS, COLUMNS), np.uint8)
            np.add.at(seen, (time.astype(int) - start - 1, y.astype(int), x.astype(int)), 1)
            assert np.array_equal(seen, clip.spikes[1.0][start + 1 : stop + 1])
            # The network is shown bins i and i + 1 of 15, evenly in time, for frame i: each lies between its two.
            bins = 14 * (8 * np.array(raw) - start) / (stop - start)
            assert np.array_equal(np.floor(bins), np.arange(14))


def test_exposures_that_do_not_follow_each_other_are_not_joined(tmp_path: Path) -> None:
    Clip(tmp_path / "data", windows=(2, 3, 4, 7, 8, 9, 10, 12)).write(4)
    shards_to_tool(tmp_path / "data", tmp_path / "out", "refid", 1)
    folders = names(tmp_path / "out" / "train")
    pairs = {folder: found_by_refid(tmp_path / "out", "train", folder, 7, 0) for folder in folders}
    assert {folder: len(found) for folder, found in pairs.items()} == {"clip": 1, "clip_00007": 2, "clip_00012": 0}
    assert [path.stem for path in pairs["clip"][0].blur] == ["000045", "000058"]
    assert [[path.stem for path in pair.blur] for pair in pairs["clip_00007"]] == [
        ["000110", "000123"],
        ["000123", "000136"],
    ]


# BiT and Motion-ETR


def test_bit_finds_an_exposure_with_its_neighbours(tmp_path: Path) -> None:
    clips = [Clip(tmp_path / "data", f"{split}/clip", (1, 2, 3, 5, 6, 7, 8)).write(3) for split in SPLITS]
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", "bit") == 14
    for clip in clips:
        found = {}
        for folder in names(tmp_path / "out" / f"{clip.split}_blur"):
            blurs = (tmp_path / "out" / f"{clip.split}_blur" / folder).glob("*.png")
            in_order = sorted(blurs, key=lambda path: int(path.stem))
            for past, now, future in zip(in_order, in_order[1:], in_order[2:], strict=False):
                sharp = [f"{int(now.stem) + j:05d}.png" for j in range(-3, 4)]
                found[folder, now.stem] = (
                    [pixels(path) for path in (past, now, future)],
                    [pixels(tmp_path / "out" / clip.split / folder / name) for name in sharp],
                )
        places = {("clip", "00010"): 2, ("clip_00005", "00010"): 6, ("clip_00005", "00017"): 7}
        assert found.keys() == places.keys()
        for place, window in places.items():
            blurs_seen, sharp_seen = found[place]
            assert np.array_equal(blurs_seen, clip.blurs[window - 1 : window + 2])
            assert np.array_equal(sharp_seen, clip.frames[13 * window : 13 * window + 13 : 2])


def test_motion_etr_finds_pairs_side_by_side(tmp_path: Path) -> None:
    clips = [Clip(tmp_path / "data", f"{split}/walk/clip", (1, 4), sharp="middle").write() for split in SPLITS]
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", "motion-etr") == 4
    for clip in clips:
        found = sorted((tmp_path / "out" / clip.split).rglob("*.png"))
        assert [path.stem for path in found] == ["clip_000019", "clip_000058"]
        for window, path in zip((1, 4), found, strict=True):
            blur, sharp = np.hsplit(pixels(path), 2)
            assert np.array_equal(blur, clip.blurs[window])
            assert np.array_equal(sharp, clip.frames[13 * window + 6])


# What they share


def test_every_tool_can_be_asked_for() -> None:
    (option,) = (option for option in command("convert").params if option.name == "tool")
    assert {"ssdm", *get_args(Tool)} == {"ssdm", *TOOLS} == set(option.type.choices)  # type: ignore[attr-defined]


@pytest.mark.parametrize("tool", ["spk-gopro", "refid", "bit", "motion-etr"])
def test_every_lost_file_is_made_again_and_no_other(tmp_path: Path, tool: Tool) -> None:
    Clip(tmp_path / "data", thresholds=(2,)).write(2)
    out, told = tmp_path / "out", list[Progress]()
    shards_to_tool(tmp_path / "data", out, tool, on_progress=told.append)
    assert [(progress.done, progress.total) for progress in told] == [(done, 3) for done in range(4)]
    whole = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    kinds = {(path.parent.name, path.suffix): path for path in whole if path != out / "spikesim.json"}
    for lost in kinds.values():
        kept = {path: path.stat().st_mtime_ns for path in whole if path not in (lost, out / "spikesim.json")}
        lost.unlink()
        assert shards_to_tool(tmp_path / "data", out, tool) == 3
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole
        assert {path: path.stat().st_mtime_ns for path in kept} == kept


@dataclass
class Fault:
    """Clips that a tool cannot be given, and what is said of them."""

    tool: Tool
    clips: list[dict[str, object]]
    said: tuple[str, ...]
    v_th: float | None = 2


SHORT = ExposurePlan(frames=5, padding=10)
FAULTS = {
    "spikes of the images' size": Fault("spk-gopro", [{"ratio": 1}], ("half the size", "--ratio 2, 4 or 8")),
    "no sharp frame for SpkDeblurNet": Fault("spk-gopro", [{"sharp": "none"}], ("at readout 68", "has none")),
    "another sharp frame": Fault(
        "spk-gopro", [{"sharp": "sequence", "plan": ExposurePlan(frames=7)}], ("at readout 44", "[20, 36, 52, 68]")
    ),
    "too few readouts": Fault(
        "spk-gopro", [{"plan": SHORT}], ("28 readouts before", "the 53 of", "middle at 26", "--padding 12 or more")
    ),
    "two sizes": Fault(
        "spk-gopro", [{}, {"key": "test/clip", "size": (8, 12)}], ("folders of one size", "[(8, 12), (10, 12)]")
    ),
    "bytes of two readouts": Fault("spk-gopro", [{"size": (9, 12)}], ("9×12", "a multiple of 8")),
    "deeper clips": Fault("spk-gopro", [{"key": "train/a/b"}], ("train/a/b would lie deeper", "plain names")),
    "deeper clips of REFID": Fault("refid", [{"key": "train/a/b"}], ("train/a/b would lie deeper",)),
    "deeper clips of BiT": Fault("bit", [{"key": "train/a/b"}], ("train/a/b would lie deeper",), None),
    "no sharp frame for REFID": Fault("refid", [{"sharp": "none"}], ("has none", "--sharp sequence")),
    "no readouts between the sharp frames": Fault(
        "refid", [{"sharp": "middle"}], ("36 readouts behind the streams", "--padding 56 or more")
    ),
    "no readouts between exposures": Fault(
        "refid", [{"plan": ExposurePlan(padding=5)}], ("3 readouts behind the streams", "--padding 8 or more")
    ),
    "two numbers of sharp frames": Fault(
        "refid",
        [{}, {"key": "test/clip", "sharp": "middle"}],
        ("at the same times", "--sharp sequence"),
    ),
    "two plans": Fault("bit", [{}, {"key": "test/clip", "plan": SHORT}], ("at the same times", "frames=5"), None),
    "an even number of sharp frames": Fault(
        "bit", [{"plan": ExposurePlan(frames=7)}], ("3, 5, 7, ... sharp frames", "[20, 36, 52, 68]"), None
    ),
    "one sharp frame": Fault(
        "bit", [{"sharp": "middle"}], ("readout of an exposure, 20, to its last, 116", "[68]"), None
    ),
    "no three in a row": Fault("refid", [{"windows": (1, 2, 4, 5)}], ("REFID reads", "no clip here has 3 in a row")),
    "no neighbours": Fault("bit", [{"windows": (1, 2)}], ("BiT reads", "no clip here has 3 in a row"), None),
    "one name for two runs": Fault(
        "refid",
        [{"windows": (1, 2, 3, 9)}, {"key": "train/clip_00009"}],
        ("would lie in the folder clip_00009 of train", "convert these clips apart"),
    ),
    "a threshold without spikes": Fault("bit", [{}], ("BiT reads images alone, got v_th=2",), 2),
    "no threshold": Fault("refid", [{}], ("thresholds 1, 2; say which",), None),
    "another threshold": Fault("spk-gopro", [{}], ("no spikes of threshold 3; it has 1, 2",), 3),
    "no middle for Motion-ETR": Fault("motion-etr", [{"sharp": "none"}], ("Motion-ETR reads", "at readout 68"), None),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_a_loader_cannot_read_is_refused(run: Run, tmp_path: Path, fault: Fault) -> None:  # noqa: F811
    for choices in fault.clips:
        Clip(tmp_path / "data", **choices).write()  # type: ignore[arg-type]
    threshold = () if fault.v_th is None else ("--vth", fault.v_th)
    refused = run("convert", tmp_path / "data", tmp_path / "out", "--to", fault.tool, *threshold)
    assert_refused(refused, *fault.said)
    assert len(refused.err.splitlines()) < 15
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("tool", "padding"), [("spk-gopro", 12), ("refid", 8)])
def test_the_padding_that_is_advised_is_enough(tmp_path: Path, tool: Tool, padding: int) -> None:
    plan = ExposurePlan(frames=5, padding=padding)
    Clip(tmp_path / "data", plan=plan, windows=(1, 2, 3)).write()
    assert shards_to_tool(tmp_path / "data", tmp_path / "out", tool, 1) == 3


@pytest.mark.parametrize("tool", get_args(Tool))
def test_exposures_that_are_there_twice_are_refused(run: Run, tmp_path: Path, tool: Tool) -> None:  # noqa: F811
    clip = Clip(tmp_path / "data", thresholds=(1,)).write()
    shard = clip.root / "train" / "clip.000.h5"
    (shard.parent / "clip.007.h5").write_bytes(shard.read_bytes())
    refused = run("convert", clip.root, tmp_path / "out", "--to", tool)
    assert_refused(refused, "exposure 1 of train/clip", "one by one")
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_does_not_tell_of_exposures_is_refused(run: Run, tmp_path: Path) -> None:  # noqa: F811
    clip = Clip(tmp_path / "data")
    with ShardWriter(tmp_path / "data" / "train" / "clip.000.h5", {"choices": {}}, "zstd") as writer:
        writer.append(clip.sample(1))
    for tool in ("spk-gopro", "refid", "bit", "motion-etr"):
        threshold = ("--vth", 1) if TOOLS[tool].has_spikes else ()  # type: ignore[index]
        refused = run("convert", tmp_path / "data", tmp_path / "out", "--to", tool, *threshold)
        assert_refused(refused, "does not say how its clip is cut into exposures")
    assert not (tmp_path / "out").exists()


def test_from_the_command_line(run: Run, dataset: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "Spk-GoPro"
    done = run("convert", dataset, out, "--to", "spk-gopro", "--vth", 2)
    assert (done.code, done.out) == (0, "")
    assert "4 samples for spk-gopro" in done.err
    assert [path for path in files(out) if "/train/" in path] == [
        "GOPRO_Large/train/.DS_Store",
        "GOPRO_Large/train/clip/blur_gamma/000019.png",
        "GOPRO_Large/train/clip/blur_gamma/000032.png",
        "GOPRO_Large/train/clip/sharp/000019.png",
        "GOPRO_Large/train/clip/sharp/000032.png",
        "GOPRO_Large_spike_seq/train/clip/spike/000019.dat",
        "GOPRO_Large_spike_seq/train/clip/spike/000032.dat",
    ]
    before = files(out)
    assert_refused(run("convert", dataset, out, "--to", "spk-gopro", "--vth", 1), "is not an empty folder")
    assert_refused(run("convert", dataset, out, "--to", "motion-etr"), "is not an empty folder")
    assert_refused(run("convert", dataset, out, "--to", "refid", "--vth", 2), "at the same times of the same exposures")
    (out / "spikesim.json").unlink()
    assert_refused(run("convert", dataset, out, "--to", "spk-gopro", "--vth", 2), "is not an empty folder")
    assert_refused(run("convert", dataset, out, "--to", "blurgan"), "'blurgan' is not one of")
    assert files(out) == [path for path in before if path != "spikesim.json"]


def test_one_threshold_of_the_released_layout(run: Run, dataset: Path, tmp_path: Path) -> None:  # noqa: F811
    assert run("convert", dataset, tmp_path / "out", "--vth", 2).code == 0
    for split in SPLITS:
        folders = sorted(path.name for path in (tmp_path / "out" / split).iterdir())
        assert folders == ["blur_data", "sharp_data", "spike_data"]
        for sample in open_dataset(dataset, split):
            path = tmp_path / "out" / split / "spike_data" / "clip" / f"{sample.first_frame + 6:06d}.dat"
            assert np.array_equal(read_spikes(path, 18, 30).packed, sample.spikes[2.0].packed)
            assert not np.array_equal(sample.spikes[2.0].packed, sample.spikes[1.0].packed)
