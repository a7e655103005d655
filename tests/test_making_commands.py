"""The commands that make data of video: build, simulate, interpolate and demo."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import commands
import numpy as np
import pytest
from build_data import write_frames
from commands import Run, assert_refused, files
from PIL import Image

from spikesim import SpikeCamera, read_spikes, tfp
from spikesim_datasets import scenes, sources
from spikesim_datasets.clip_interpolation import interpolate_clip
from spikesim_datasets.clip_simulation import simulate_clip
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.optics import Optics
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.sources import DemoClip, Split, open_clips
from spikesim_datasets.synthesis import Stretch

run = commands.run
frames = commands.frames
dataset = commands.dataset

# build, build-gopro


def test_build_gopro_without_gopro_says_what_to_do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("build-gopro", "--vth", 1, 2, 4)
    assert_refused(
        result,
        f"no GOPRO tree at {tmp_path / 'GOPRO'}",
        "ROOT/{train,test}/SCENE/*.png",
        "ROOT/GOPRO_Large_all/{train,test}/SCENE/*.png",
        "ROOT/{train,test}/raw_data/SCENE/*.png",
        "https://seungjunnah.github.io/Datasets/gopro",
        "--root",
        "`spikesim demo`",
    )
    assert files(tmp_path) == []
    assert run("build-gopro") == result


def test_build_gopro_alone_takes_the_folder_beside_it(
    run: Run, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("train/raw_data/GOPR0372_07_00", "test/raw_data/GOPR0384_11_00"):
        shutil.copytree(frames, tmp_path / "GOPRO" / place)
    result = run("build-gopro", "--interp", "linear", "--workers", 1)
    assert (result.code, result.out) == (0, "")
    assert files(tmp_path / "data/gopro") == [
        INDEX, "test/GOPR0384_11_00.000.h5", "train/GOPR0372_07_00.000.h5",
    ]  # fmt: skip
    lines = result.err.splitlines()
    assert lines[0] == "readouts: 482 of 482"
    assert lines[1].startswith("data/gopro: 4 samples, ")
    assert "2 shards built, 0 kept, 0 clips skipped" in lines[1]
    with ShardReader(tmp_path / "data/gopro/train/GOPR0372_07_00.000.h5") as made:
        assert made.recipe["command"] == "spikesim build-gopro --interp linear --workers 1"
        assert list(made.cameras) == [1.0]
    again = run("build-gopro", "--interp", "linear", "--workers", 1)
    assert "0 shards built, 2 kept" in again.err


BUILT_WITH: dict[str, tuple[str, dict[str, Any]]] = {
    "preset": ("--preset ideal", {"preset": "ideal"}),
    "flow": ("--interp flow", {"interpolation": "flow"}),
    "factor": ("--factor 4 --vth 1,2", {"v_th": (1, 2), "plan": ExposurePlan(factor=4, gap=3)}),
    "short": ("--exposure-frames 5 --light", {"plan": ExposurePlan(frames=5), "light": True}),
    "light": ("--linear-light --downscale area", {"linear_light": True, "downscale": "area"}),
    "sequence": ("--sharp sequence --seed 5", {"sharp": "sequence", "seed": 5}),
    "nothing": ("--sharp none --compression none", {"sharp": "none", "compression": "none"}),
    "gzip": ("--compression gzip --shard-samples 1", {"compression": "gzip", "shard_samples": 1}),
}


@pytest.mark.parametrize(("words", "choices"), BUILT_WITH.values(), ids=BUILT_WITH)
def test_options_reach_the_recipe(run: Run, frames: Path, tmp_path: Path, words: str, choices: dict[str, Any]) -> None:
    words = words if "--interp" in words else f"{words} --interp linear"
    result = run("build", frames, "--out", tmp_path, "--workers", 1, *words.split())
    assert result.code == 0
    expected = make_recipe(**{"interpolation": "linear", **choices})
    with ShardReader(shard_files(tmp_path)[0]) as made:
        assert made.recipe["choices"] == json.loads(json.dumps(expected.choices()))
        assert made.compression == expected.compression
        assert made.sharp_readouts == expected.plan.sharp_readouts(expected.sharp_of("train"))


def test_the_result_as_json_is_alone_on_stdout(run: Run, frames: Path, tmp_path: Path) -> None:
    short = write_frames(tmp_path / "videos" / "short", 5)
    result = run(
        "build", frames, short, "--out", tmp_path / "out", "--interp", "linear", "--vth", 1, 2, "--workers", 1, "--json"
    )
    assert result.code == 0
    record = result.json
    assert record.pop("seconds") > 0
    assert record == {
        "out": str(tmp_path / "out"),
        "built": 1,
        "kept": 0,
        "diagnostics": {},
        "samples": 2,
        "skipped": {"train/short": 5},
        "bytes": (tmp_path / "out/train/clip.000.h5").stat().st_size,
        "readouts": 241,
    }
    assert result.err.splitlines() == [
        "readouts: 241 of 241",
        "skipped train/short: 5 frames are too few for one window",
    ]


def test_a_dry_run_tells_and_writes_nothing(run: Run, frames: Path, tmp_path: Path) -> None:
    short = write_frames(tmp_path / "videos" / "short", 5)
    words = ("build", frames, short, "--out", tmp_path / "out", "--interp", "linear", "--vth", 1, 2, "--dry-run")
    record = run(*words, "--json").json
    assert record.pop("seconds") > 0
    # Blur, one ground truth, and 137 readouts of 18 rows of 4 bytes for each threshold.
    assert record == {
        "exposure": {
            "frames": 13,
            "factor": 8,
            "gap": 7,
            "padding": 20,
            "readouts": 97,
            "period": 104,
            "stream_length": 137,
            "span": [20, 117],
        },
        "windows": {
            "train/clip": [
                {"index": 1, "first_frame": 13, "first_readout": 104},
                {"index": 2, "first_frame": 26, "first_readout": 208},
            ]
        },
        "clips": {"train/clip": 2},
        "skipped": {"train/short": 5},
        "samples": 2,
        "build": {"shards": 1, "samples": 2},
        "keep": {"shards": 0, "samples": 0},
        "bytes_at_most": 2 * (2 * 72 * 120 * 3 + 2 * 137 * 18 * 4),
    }
    result = run(*words, "--workers", 3)
    assert "train/clip" in result.out
    assert "42" in result.out
    assert "120×72" in result.out
    assert "104..304" in result.out
    assert "exposures of 97 readouts begin every 104, in streams of 137, whose readouts 20..116 they are" in result.err
    assert "would build 2 samples in 1 shard, at most 143 kB" in result.err
    assert "with 1 worker, and keep 0 shards; nothing was built" in result.err
    assert "skipped train/short" in result.err
    assert not (tmp_path / "out").exists()


def test_exposures_of_the_command_line(run: Run, frames: Path, tmp_path: Path) -> None:
    words = ("build", frames, "--out", tmp_path / "out", "--interp", "linear")
    exposure = ("--exposure", "gopro7", "--exposure-frames", 5, "--gap", 15, "--padding", 4)
    told = run(*words, *exposure, "--dry-run", "--json").json
    assert told["exposure"]["span"] == [4, 37]
    assert (told["exposure"]["period"], told["exposure"]["stream_length"]) == (48, 41)
    assert run(*words, *exposure).code == 0
    made = open_dataset(tmp_path / "out", "train")
    assert len(made) == told["samples"] == 6
    assert [(sample.window, sample.first_frame) for sample in made] == [
        (window["index"], window["first_frame"]) for window in told["windows"]["train/clip"]
    ]
    assert {len(stream) for sample in made for stream in sample.spikes.values()} == {41}
    assert made.exposure == (4, 37)
    assert_refused(run(*words, "--exposure", "moon"), "no exposure is called 'moon'; there are ssdm")
    assert_refused(run(*words, "--gap", 8), "a gap of 8 repeat every 105", "7 more than a multiple of 8")
    assert_refused(run(*words, "--gap", -1), "--gap")
    assert_refused(run(*words, "--exposure-frames", 60), "no clip is long enough: one window takes", "has 42")


def test_a_dry_run_tells_what_a_run_would_keep(run: Run, frames: Path, tmp_path: Path) -> None:
    second = write_frames(tmp_path / "more", 55)
    words = ("--out", tmp_path / "out", "--interp", "linear", "--workers", 1, "--shard-samples", 2)
    assert run("build", frames, *words).code == 0
    before = [(path, path.stat().st_mtime_ns) for path in sorted((tmp_path / "out").rglob("*"))]
    record = run("build", frames, second, *words, "--dry-run", "--json").json
    told = run("build", frames, second, *words, "--dry-run")
    assert "and keep 1 shard; nothing was built" in told.err
    nothing = run("build", frames, *words, "--dry-run")
    assert "would build 0 samples in 0 shards, and keep 1 shard; nothing was built" in nothing.err
    assert [(path, path.stat().st_mtime_ns) for path in sorted((tmp_path / "out").rglob("*"))] == before
    made = run("build", frames, second, *words, "--json").json
    assert (record["build"]["shards"], record["keep"]["shards"]) == (made["built"], made["kept"]) == (2, 1)
    assert record["samples"] == made["samples"] == record["build"]["samples"] + record["keep"]["samples"]
    # What a run refuses a dry run refuses, and what it would replace is still there.
    other = ("build", frames, second, *words, "--seed", 1, "--dry-run")
    assert_refused(run(*other), "was built with another recipe", "--overwrite")
    replaced = run(*other, "--overwrite", "--json").json
    assert (replaced["build"]["shards"], replaced["keep"]["shards"]) == (3, 0)
    assert run("verify", tmp_path / "out").code == 0


def test_a_dataset_of_another_recipe_is_refused_or_replaced(
    run: Run, dataset: Path, frames: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(dataset, tmp_path / "out"))
    words = ("build", frames, "--out", out, "--interp", "linear", "--vth", 2, "--workers", 1)
    before = files(out), [file.read_bytes() for file in shard_files(out)]
    assert_refused(run(*words), "was built with another recipe (V_th: 1, 2 there, 2 now)", "--overwrite")
    assert (files(out), [file.read_bytes() for file in shard_files(out)]) == before
    assert run(*words, "--overwrite").code == 0
    assert open_dataset(out, "train").thresholds == (2.0,)


def test_build_refuses_bad_sources(run: Run, frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(run("build", tmp_path / "none.mp4", "--out", out), "none.mp4 does not exist")
    assert_refused(run("build", "demo:moon", "--out", out), "no demo scene is called 'moon'")
    assert_refused(run("build", "--out", out), "SOURCE")
    assert_refused(run("build", frames), "--out")
    assert_refused(run("build", frames, "--out", frames / "out"), "lies in the source")
    assert_refused(run("build", frames, frames, "--out", out), "train/clip")
    odd = write_frames(tmp_path / "odd", 3, 70, 120)
    assert_refused(run("build", odd, "--out", out), "odd is 120×70; both must be multiples of 4")
    short = write_frames(tmp_path / "short", 28)
    assert_refused(run("build", short, "--out", out), "one window takes 29 frames, but train/short has 28")
    assert not out.exists()


def test_frames_that_are_readouts_are_counted_as_they_lie_there(run: Run, tmp_path: Path) -> None:
    """29 frames with seven between each two and the next are 225."""
    dense = write_frames(tmp_path / "dense", 224, 16, 24)
    words = ("build", dense, "--out", tmp_path / "out", "--interp", "none", "--dry-run")
    assert_refused(run(*words), "one window takes 225 frames where each is a readout", "but train/dense has 224")
    short = write_frames(tmp_path / "short", 60, 16, 24)
    shutil.copy(dense / "000000.png", dense / "000224.png")
    record = run(*words[:1], short, *words[1:], "--json").json
    assert (record["clips"], record["skipped"]) == ({"train/dense": 1}, {"train/short": 60})


def test_a_damaged_frame_is_named(run: Run, frames: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(frames, tmp_path / "clip"))
    (folder / "000030.png").write_bytes((folder / "000030.png").read_bytes()[:-900])
    result = run("build", folder, "--out", tmp_path / "out", "--interp", "linear", "--workers", 1)
    assert_refused(result, "clip/000030.png cannot be decoded")
    assert files(tmp_path / "out") == []
    (folder / "000007.png").write_bytes(b"")
    assert_refused(run("build", folder, "--out", tmp_path / "out"), "clip/000007.png is empty")


def test_a_build_says_where_scenes_are_cut(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.integers(0, 256, (9, 15, 3), np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in range(2)]
    (tmp_path / "frames").mkdir()
    for number in range(45):
        Image.fromarray(scenes[number >= 20]).save(tmp_path / "frames" / f"{number:06d}.png")
    words = ("build", tmp_path / "frames", "--interp", "linear", "--workers", 1, "--out")
    kept = run(*words, tmp_path / "keep")
    assert "train/frames: 1 scene cut, at frame 20; --cuts skip leaves out the windows across them" in kept.err
    skipped = run(*words, tmp_path / "skip", "--cuts", "skip")
    assert "train/frames: 1 scene cut, at frame 20; skipped 1 window across them" in skipped.err
    assert_refused(run(*words, tmp_path / "skip"), "was built with another recipe (cuts: skip there, keep now)")


# simulate


@pytest.mark.parametrize("extension", [".dat", ".npz", ".npy", ".h5"])
def test_simulate(run: Run, frames: Path, tmp_path: Path, extension: str) -> None:
    output = tmp_path / f"new/spikes{extension}"
    result = run("simulate", frames, output, "--interp", "linear", "--factor", 3, "--vth", 2, "--frames", 5, "--json")
    assert result.code == 0
    stream = read_spikes(output)
    assert stream.shape == (13, 18, 30)
    assert result.json == {
        "output": str(output),
        "shape": [13, 18, 30],
        "spikes_per_readout": pytest.approx(stream.dense().mean()),
    }
    assert result.err.splitlines() == ["readouts: 13 of 13"]


def test_simulate_passes_its_options_on(run: Run, frames: Path, tmp_path: Path) -> None:
    words = [
        "--interp",
        "none",
        "--preset",
        "ideal",
        "--ratio",
        "1",
        "--seed",
        "3",
        "--start",
        "2",
        "--frames",
        "6",
        "--linear-light",
    ]
    result = run("simulate", frames, tmp_path / "a.npz", *words)
    assert result.code == 0
    assert result.err.splitlines()[-1].startswith(f"{tmp_path / 'a.npz'}: 6 readouts of 120×72, 0.")
    (clip,) = open_clips([frames])
    ideal, none = SpikeCamera.preset("ideal"), InterpolatorSpec("none")
    full = Optics(response="gamma2.2", ratio=1)
    simulate_clip(clip, tmp_path / "b.npz", ideal, none, full, stretch=Stretch(2, 6), seed=3)
    streams = [read_spikes(tmp_path / name).packed for name in ("a.npz", "b.npz")]
    np.testing.assert_array_equal(*streams)


def test_simulate_refuses_bad_input(run: Run, frames: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.npz"
    assert_refused(run("simulate", tmp_path / "none.mp4", output), "none.mp4 does not exist")
    assert_refused(run("simulate", frames, tmp_path / "a.txt"), "a.txt", ".dat, .npz, .npy, .h5")
    assert_refused(run("simulate", frames, output, "--vth", 0), "v_th must be a positive finite number")
    assert_refused(run("simulate", frames, output, "--start", 40, "--frames", 3), "frames 40..42 are not in", "has 42")
    both = tmp_path / "both"
    for name in "ab":
        write_frames(both / name, 2)
    assert_refused(run("simulate", both, output), "INPUT holds 2 clips")
    assert not output.exists()


# interpolate


def test_interpolate(run: Run, frames: Path, tmp_path: Path) -> None:
    words = ("interpolate", frames, tmp_path / "out", "--start", 2, "--frames", 4)
    result = run(*words)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == ["frames: 25 of 25", f"{tmp_path / 'out'}: 25 frames of 120×72"]
    (clip,) = open_clips([frames])
    interpolate_clip(clip, tmp_path / "same", stretch=Stretch(2, 4))
    assert files(tmp_path / "out") == files(tmp_path / "same")
    for name in files(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    again = run(*words, "--json")
    assert again.json == {"output": str(tmp_path / "out"), "frames": 25, "kept": 25, "cuts": [], "fast": []}
    assert run(*words).err.endswith("120×72, 25 of them kept\n")
    other = (*words, "--interp", "linear", "--factor", 2)
    assert_refused(run(*other), "made otherwise (other interpolation, factor)", "--overwrite")
    assert run(*other, "--overwrite", "--json").json["frames"] == 7
    assert len(files(tmp_path / "out")) == 7


def test_interpolate_to_a_video(run: Run, frames: Path, tmp_path: Path) -> None:
    result = run("interpolate", frames, tmp_path / "a.mp4", "--interp", "linear", "--frames", 3, "--fps", 12)
    assert result.code == 0
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert video.streams.video[0].average_rate == 12
        assert sum(1 for _ in video.decode(video=0)) == 17


def test_interpolate_says_where_scenes_are_cut(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "clip").mkdir()
    for number in range(4):
        blocks = np.kron(rng.integers(0, 256, (9, 15, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        Image.fromarray(blocks).save(tmp_path / "clip" / f"{number:06d}.png")
    result = run("interpolate", tmp_path / "clip", tmp_path / "out", "--interp", "linear")
    assert "clip: 3 scene cuts, at frames 1, 2, 3; what lies before them is a mixture of two scenes" in result.err
    result = run("interpolate", "--check", tmp_path / "clip")
    assert result.code == 0
    assert "clip: nothing to compare, 1 triple across scene cuts left out" in result.err


def test_interpolators_are_compared(run: Run, frames: Path, tmp_path: Path) -> None:
    short = write_frames(tmp_path / "short", 5)
    words = ("interpolate", "--check", frames, short, "--every", 8)
    result = run(*words)
    assert result.code == 0
    assert result.err.splitlines() == ["triples: 4 of 4"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.out.splitlines() if "│" in line]
    assert [(row[0], row[1], row[7]) for row in rows] == [
        ("clip", "flow", "3"), ("clip", "linear", "3"), ("short", "flow", "1"), ("short", "linear", "1"),
        ("all", "flow", ""), ("all", "linear", ""),
    ]  # fmt: skip
    numbers = np.array([row[2:6] for row in rows], float)
    np.testing.assert_allclose(numbers[4:, [0, 2]], (numbers[:2] + numbers[2:4])[:, [0, 2]] / 2, rtol=1e-3)
    np.testing.assert_array_equal(numbers[4:, [1, 3]], np.minimum(numbers[:2], numbers[2:4])[:, [1, 3]])
    assert len(files(tmp_path)) == 5  # nothing is written

    (record,) = run("interpolate", frames, "--check", "--interp", "linear", "--interp", "linear", "--json").json
    assert (record["clip"], record["triples"], record["cuts"]) == ("train/clip", 2, 0)
    (score,) = record["scores"]
    assert score["interpolator"] == "linear"
    assert 15 < score["least_psnr"] <= score["psnr"] < 100
    assert 0.5 < score["least_ssim"] <= score["ssim"] < 1
    assert score["seconds"] > 0


def test_interpolate_refuses_bad_input(run: Run, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    out = tmp_path / "out"
    assert_refused(run("interpolate"), "INPUT")
    assert_refused(run("interpolate", frames), "give INPUT and OUTPUT, or --check and inputs alone; got 1")
    assert_refused(run("interpolate", frames, frames, out), "got 3 paths")
    assert_refused(run("interpolate", frames, out, "--every", 3), "--every goes with --check")
    assert_refused(run("interpolate", frames, out, "--interp", "flow", "--interp", "linear"), "made by one --interp")
    for words in ("--factor 4", "--start 0", "--frames 9", "--fps 30", "--overwrite"):
        assert_refused(run("interpolate", "--check", frames, *words.split()), f"leave out {words.split()[0]}")
    assert_refused(run("interpolate", frames, out, "--interp", "none"), "'none' makes no frames between")
    assert_refused(run("interpolate", "--check", frames, "--interp", "none"), "'none' makes no frames to compare")
    for words in (("interpolate", frames, out), ("interpolate", "--check", frames)):
        assert_refused(run(*words, "--interp", "magic"), "interpolator must be one of")
        assert_refused(run(*words, "--interp", "rife"), "no weights of RIFE", "needs no weights")
    assert_refused(run("interpolate", tmp_path / "none.mp4", out), "none.mp4 does not exist")
    assert_refused(run("interpolate", frames, frames / "out"), "never written to")
    assert_refused(run("interpolate", "--check", write_frames(tmp_path / "short", 2)), "three frames", "train/short")
    both = tmp_path / "both"
    for name in "ab":
        write_frames(both / name, 2)
    assert_refused(run("interpolate", both, out), "INPUT holds 2 clips")
    assert not out.exists()


# demo


def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(split: Split, name: str, scene: str, n_frames: int) -> DemoClip:
        return DemoClip(split, name, scene, n_frames, 72, 120)

    monkeypatch.setattr(sources, "DemoClip", small)
    monkeypatch.setattr("spikesim_cli.commands.demo._FRAMES", 29)  # one window
    monkeypatch.setattr(scenes, "SCENES", {"street": scenes.SCENES["street"]})
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--workers", 1)
    assert result.code == 0
    assert files(out) == [
        "dataset/dataset.json", "dataset/train/street.000.h5", "deblurred.png", "first.mp4",
        "report.html", "street_1.png",
    ]  # fmt: skip
    assert "verified: every shard is whole" in result.err
    samples = open_dataset(out / "dataset", "train")
    assert samples.thresholds == (1.0, 2.0, 4.0)
    rows = [line.split("│")[1:-1] for line in result.out.splitlines() if "train/street" in line]
    assert [(int(row[1]), float(row[2])) for row in rows] == [(1, 1), (1, 2), (1, 4)]
    for row, stream in zip(rows, samples[0].spikes.values(), strict=True):
        assert float(row[3]) == pytest.approx(tfp(stream, 68, 97).mean(), rel=1e-3)
        assert float(row[4]) > 0.9  # the exposure's TFP is an image of the blur
    path = out / "dataset/train/street.000.h5"
    path.write_bytes(path.read_bytes().replace(b"spikesim demo", b"spikesim dema"))
    assert_refused(run("demo", "--out", out, "--workers", 1), "street.000.h5 has other bytes")
