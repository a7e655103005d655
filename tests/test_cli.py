"""The command line: what it accepts, what it says where, and how it fails."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import av
import click
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from spikesim import PRESETS, SpikeStream, read_spikes, tfp, write_spikes
from spikesim.formats.contents import AXES
from spikesim_cli import console
from spikesim_cli.main import COMMANDS, cli, main
from spikesim_datasets import scenes, sources
from spikesim_datasets.build import build_clips
from spikesim_datasets.comparison import EVERY, MOST
from spikesim_datasets.exposure import ExposurePlan, Sharp
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.light import Downscale
from spikesim_datasets.pictures import Look
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.recording import simulate_clip
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.sources import DemoClip, Split, open_clips
from spikesim_datasets.upsampling import interpolate_clip

HEIGHT, WIDTH = 72, 120


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as a terminal does, through the entry point, in this process."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["spikesim", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def assert_refused(result: Result, *said: str) -> None:
    """Exit code 2, nothing on stdout, and one message on stderr that says what is wrong."""
    assert (result.code, result.out) == (2, "")
    assert result.err.count("Error: ") == 1
    for text in said:
        assert text in result.err


def write_frames(folder: Path, frames: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    folder.mkdir(parents=True)
    y, x, colour = np.ogrid[:height, :width, :3]
    for number in range(frames):
        wave = np.sin((x + 3 * number + 40 * colour) / 9) * np.cos((y - number) / 7)
        Image.fromarray((127 + 120 * wave).astype(np.uint8)).save(folder / f"{number:06d}.png", compress_level=1)
    return folder


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """42 frames, which have the windows 1 and 2; not to be changed."""
    return write_frames(tmp_path_factory.mktemp("videos") / "clip", 42)


@pytest.fixture(scope="module")
def dataset(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples of each split at V_th 1 and 2; not to be changed."""
    out = tmp_path_factory.mktemp("dataset") / "data"
    for split in get_args(Split):
        build_clips(open_clips([frames], split), out, make_recipe((1, 2), interpolation="linear"), workers=1)
    return out


@pytest.fixture(scope="module")
def shard(dataset: Path) -> Path:
    return dataset / "train" / "clip.000.h5"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A `.dat` of 12 readouts of 18×30 that does not know its size: 12 times 68 bytes."""
    dense = np.random.default_rng(1).integers(0, 2, (12, 18, 30), np.uint8)
    write_spikes(tmp_path / "recording.dat", SpikeStream.from_dense(dense), describe=False)
    return tmp_path / "recording.dat"


# Every command and its help


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def test_every_command_is_listed_and_found(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    listed = [line.split()[0] for line in result.out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    modules = Path(main.__code__.co_filename).parent / "commands"
    assert {path.stem for path in modules.glob("[!_]*.py")} == set(COMMANDS.values())
    assert run("-h").out == result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_an_example(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert (result.code, result.err) == (0, "")
    text = result.out.partition("\nOptions:")[0].rstrip()
    last = text.rpartition("\n\n")[2].splitlines()
    assert last[0].strip() in ("Example:", "Examples:")
    assert len(last) > 1
    for line in last[1:]:
        program, called, *_ = line.split()
        assert (program, called) == ("spikesim", name)
        # The example is one that the command takes.
        with command(name).make_context(name, line.split()[2:]):
            pass


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    options = [option for option in command(name).params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def shown(name: str) -> dict[str, str]:
    """The defaults that a command's help shows in words, by parameter."""
    return {
        str(option.name): option.show_default
        for option in command(name).params
        if isinstance(option, click.Option) and isinstance(option.show_default, str)
    }


RECIPE_DEFAULTS = {field.name: field.default for field in fields(Recipe)}


@pytest.mark.parametrize("name", ["build", "build-gopro"])
def test_shown_defaults_of_builds_are_those_of_the_library(name: str) -> None:
    parameters = signature(make_recipe).parameters
    recipe = make_recipe()
    assert shown(name) == {
        "vth": ", ".join(f"{v_th:g}" for v_th in parameters["v_th"].default),
        "preset": parameters["preset"].default,
        "factor": str(recipe.plan.factor),
        "sharp": f"{recipe.sharp_of('train')} for train, {recipe.sharp_of('test')} for test",
        "workers": "one a core",
        "weights": "looked up by its published name",
        "device": recipe.device,
        "precision": recipe.precision,
        "tile": str(recipe.tile).lower(),
        **{
            name: str(RECIPE_DEFAULTS[name])
            for name in ("interpolation", "seed", "downscale", "cuts", "shard_samples", "compression")
        },
    }
    assert recipe.plan == ExposurePlan()


def test_shown_defaults_of_simulate_are_those_of_the_library() -> None:
    parameters = {name: p.default for name, p in signature(simulate_clip).parameters.items()}
    assert shown("simulate") == {
        "vth": "the preset's",
        "frames": "to the end",
        "weights": "looked up by its published name",
        "tile": str(parameters["tile"]).lower(),
        **{
            name: str(parameters[name])
            for name in ("preset", "interpolation", "device", "precision", "factor", "downscale", "seed")
        },
    }
    assert [parameters[name] for name in ("v_th", "frames", "start", "weights")] == [None, None, 0, None]


def test_shown_defaults_of_interpolate_are_those_of_the_library() -> None:
    parameters = {name: p.default for name, p in signature(interpolate_clip).parameters.items()}
    assert shown("interpolate") == {
        "interpolations": f"{parameters['interpolation']}; flow and linear with --check",
        "frames": "to the end",
        "weights": "looked up by its published name",
        "every": f"{EVERY}, more in clips that would have over {MOST}",
        **{name: str(parameters[name]).lower() for name in ("device", "tile", "precision", "factor", "start", "fps")},
    }
    assert [parameters[name] for name in ("frames", "weights", "overwrite")] == [None, None, False]


def test_choices_are_those_of_the_library() -> None:
    def choices(name: str, option: str) -> tuple[str, ...]:
        (kind,) = [option_.type for option_ in command(name).params if option_.name == option]
        assert isinstance(kind, click.Choice)
        return tuple(kind.choices)

    assert choices("build", "split") == choices("view", "split") == get_args(Split)
    assert choices("build", "sharp") == get_args(Sharp)
    assert choices("build", "compression") == get_args(Compression)
    assert choices("simulate", "downscale") == get_args(Downscale)
    assert choices("build", "downscale") == tuple(name for name in get_args(Downscale) if name != "none")
    assert choices("view", "look") == get_args(Look)
    assert choices("info", "axes") == tuple(AXES)
    for name in ("build", "build-gopro", "simulate"):
        (preset,) = [option.help for option in command(name).params if option.name == "preset"]  # type: ignore[attr-defined]
        assert preset == "Sensor: " + ", ".join(PRESETS).replace(", realistic", " or realistic") + "."


def test_the_version_is_that_of_the_package(run: Run) -> None:
    from spikesim import __version__

    assert __version__ in run("--version").out


def test_unknown_commands_and_options_are_refused(run: Run) -> None:
    assert_refused(run("buld"), "buld")
    assert_refused(run("info", "--colour", "x"), "--colour")


# --vth


@pytest.mark.parametrize(
    ("arguments", "thresholds"),
    [
        ("clip --out o", None),
        ("clip --out o --vth 1 2 4", (1, 2, 4)),
        ("clip --out o --vth 1,2,4", (1, 2, 4)),
        ("clip --out o --vth 1 --vth 2 --vth 4", (1, 2, 4)),
        ("clip --out o --vth=1 2 4", (1, 2, 4)),
        ("clip --out o --vth=1,2 4", (1, 2, 4)),
        ("clip --out o --vth 1,2 4", (1, 2, 4)),
        ("--vth 1 2 4 clip --out o", (1, 2, 4)),
        ("--vth 1 2 --out o clip --vth 4", (1, 2, 4)),
        ("--out o --vth .5 1e-3 2.5E+1 -- clip", (0.5, 0.001, 25)),
        ("--out o --vth 2 --seed 3 clip", (2,)),
        ("--out o --vth 1 -2 clip", (1, -2)),
    ],
)
@pytest.mark.parametrize("clips", [1, 2])
def test_thresholds_are_given_as_people_write_them(
    arguments: str, thresholds: tuple[float, ...] | None, clips: int
) -> None:
    words = arguments.replace("clip", " ".join(["clip"] * clips)).split()
    with command("build").make_context("build", words) as context:
        assert context.params["vth"] == thresholds
        assert context.params["sources"] == ("clip",) * clips
        assert context.params["out"] == Path("o")


def test_a_source_whose_name_is_a_number_is_one_before_the_thresholds() -> None:
    with command("build").make_context("build", ["7", "--out", "o", "--vth", "1", "2", "./8"]) as context:
        assert (context.params["sources"], context.params["vth"]) == (("7", "./8"), (1, 2))


@pytest.mark.parametrize("name", ["build", "build-gopro"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--vth one", "'one' is no number; give thresholds as --vth 1 2 4"),
        ("--vth 1,x", "'x' is no number"),
        ("--vth 1,", "'' is no number"),
        ("--vth 1 2,,4", "2,,4"),
        ("--vth", "--vth"),
        ("--vth 0", "v_th must be a positive finite number, got 0.0"),
        ("--vth 1 -2", "v_th must be a positive finite number, got -2.0"),
        ("--vth nan", "v_th must be a positive finite number, got nan"),
        ("--vth 1 2 1", "threshold 1 is given more than once"),
        ("--preset dvs", "no camera preset is called 'dvs'; there are ideal, ssdm"),
        ("--interp magic", "interpolator must be one of flow, linear, none"),
        ("--factor 0", "--factor"),
        ("--seed -1", "--seed"),
        ("--sharp all", "'all' is not one of"),
        ("--downscale none", "'none' is not one of"),
        ("--compression lzf", "'lzf' is not one of"),
        ("--shard-samples 0", "--shard-samples"),
        ("--workers 0", "--workers"),
    ],
)
def test_meaningless_choices_are_refused(
    run: Run, frames: Path, tmp_path: Path, name: str, words: str, said: str
) -> None:
    tree = tmp_path / "GOPRO" / "train"
    tree.mkdir(parents=True)
    (tree / "clip").symlink_to(frames)
    source = ["--root", tree.parent] if name == "build-gopro" else [frames]
    assert_refused(run(name, *source, "--out", tmp_path / "out", *words.split()), said)
    assert not (tmp_path / "out").exists()


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
    assert lines[0] == "samples: 4 of 4"
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
        "findings": {},
        "samples": 2,
        "skipped": {"train/short": 5},
        "bytes": (tmp_path / "out/train/clip.000.h5").stat().st_size,
        "readouts": 241,
    }
    assert result.err.splitlines() == [
        "samples: 2 of 2",
        "skipped train/short: 5 frames are too few for one window",
    ]


def test_a_dry_run_tells_and_writes_nothing(run: Run, frames: Path, tmp_path: Path) -> None:
    short = write_frames(tmp_path / "videos" / "short", 5)
    words = ("build", frames, short, "--out", tmp_path / "out", "--interp", "linear", "--vth", 1, 2, "--dry-run")
    record = run(*words, "--json").json
    assert record.pop("seconds") > 0
    # Blur, one ground truth, and 137 readouts of 18 rows of 4 bytes for each threshold.
    assert record == {
        "clips": {"train/clip": 2},
        "skipped": {"train/short": 5},
        "samples": 2,
        "bytes_at_most": 2 * (2 * 72 * 120 * 3 + 2 * 137 * 18 * 4),
    }
    result = run(*words, "--workers", 3)
    assert "train/clip" in result.out
    assert "42" in result.out
    assert "120×72" in result.out
    assert "2 samples in 1 shard, at most 143 kB" in result.err
    assert "with 1 worker; nothing was built" in result.err
    assert "skipped train/short" in result.err
    assert not (tmp_path / "out").exists()


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
    assert_refused(run("build", short, "--out", out), "one window takes 29 raw frames, but train/short has 28")
    assert not out.exists()


def test_a_damaged_frame_is_named(run: Run, frames: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(frames, tmp_path / "clip"))
    (folder / "000030.png").write_bytes((folder / "000030.png").read_bytes()[:-900])
    result = run("build", folder, "--out", tmp_path / "out", "--interp", "linear", "--workers", 1)
    assert_refused(result, "clip/000030.png cannot be decoded")
    assert files(tmp_path / "out") == []
    (folder / "000007.png").write_bytes(b"")
    assert_refused(run("build", folder, "--out", tmp_path / "out"), "clip/000007.png is empty")


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
        "--downscale",
        "none",
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
    simulate_clip(
        clip, tmp_path / "b.npz", preset="ideal", interpolation="none", downscale="none", linear_light=True, seed=3,
        start=2, frames=6,
    )  # fmt: skip
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
    interpolate_clip(clip, tmp_path / "same", start=2, frames=4)
    assert files(tmp_path / "out") == files(tmp_path / "same")
    for name in files(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    again = run(*words, "--json")
    assert again.json == {"output": str(tmp_path / "out"), "frames": 25, "kept": 25, "cuts": [], "fast": []}
    assert run(*words).err.endswith("120×72, 25 of them there already\n")
    other = (*words, "--interp", "linear", "--factor", 2)
    assert_refused(run(*other), "made otherwise (other interpolation, factor)", "--overwrite")
    assert run(*other, "--overwrite", "--json").json["frames"] == 7
    assert len(files(tmp_path / "out")) == 8


def test_interpolate_to_a_video(run: Run, frames: Path, tmp_path: Path) -> None:
    result = run("interpolate", frames, tmp_path / "a.mp4", "--interp", "linear", "--frames", 3, "--fps", 12)
    assert result.code == 0
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.streams.video[0].average_rate == 12
        assert sum(1 for _ in film.decode(video=0)) == 17


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


def test_rates_of_streams_longer_than_a_count_can_hold(run: Run, tmp_path: Path) -> None:
    dense = np.zeros((70_000, 1, 8), np.uint8)
    dense[::2, :, 3] = 1
    stream = SpikeStream.from_dense(dense)
    write_spikes(tmp_path / "long.npz", stream)
    assert run("info", tmp_path / "long.npz", "--json").json["spikes_per_pixel_and_readout"] == 1 / 16


# info


def test_info_of_a_dataset(run: Run, dataset: Path, tmp_path: Path) -> None:
    record = run("info", dataset, "--json").json
    size = sum(file.stat().st_size for file in shard_files(dataset))
    expected = {
        "kind": "dataset", "path": str(dataset), "shards": 2, "clips": 2, "train_samples": 2, "test_samples": 2,
        "bytes": size, "blur": [72, 120], "readouts": 137, "exposure": [20, 117], "thresholds": [1.0, 2.0],
    }  # fmt: skip
    assert expected.items() <= record.items()
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    (copy / INDEX).unlink()
    assert run("info", copy, "--json").json == {**record, "path": str(copy)}
    table = run("info", dataset)
    assert (table.code, table.err) == (0, "")
    assert "137" in table.out


def test_info_of_a_shard_a_layout_and_a_recording(
    run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path
) -> None:
    record = run("info", shard, "--json").json
    assert {
        "kind": "shard",
        "clip": "train/clip",
        "samples": 2,
        "windows": [1, 2],
        "ground_truth_at": [68],
    }.items() <= (record.items())
    shards_to_layout(dataset, tmp_path / "layout")
    assert run("info", tmp_path / "layout", "--json").json == {
        "kind": "layout", "path": str(tmp_path / "layout"), "test_samples": 2, "train_samples": 2,
    }  # fmt: skip
    record = run("info", recording, "--height", 18, "--width", 30, "--json").json
    assert record == {
        "kind": "spikes", "path": str(recording), "readouts": 12, "height": 18, "width": 30, "camera": None,
        "spikes_per_pixel_and_readout": pytest.approx(read_spikes(recording, 18, 30).dense().mean()),
    }  # fmt: skip
    assert "not known" in run("info", recording, "--height", 18, "--width", 30).out


def test_info_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    assert_refused(run("info", tmp_path / "none"), "none does not exist")
    (tmp_path / "empty").mkdir()
    assert_refused(run("info", tmp_path / "empty"), "empty is a folder without shards")
    (tmp_path / "empty" / INDEX).write_text('{"schema": "spikesim.dataset/1", "shards": []}')
    assert_refused(run("info", tmp_path / "empty"), "empty holds no shards")
    assert_refused(run("info", recording), "the size of", "is not known: give height and width")
    assert_refused(run("info", recording, "--height", 18, "--width", 31), "recording.dat has 816 bytes")
    assert_refused(run("info", recording, "--height", 18), "height and width go together")
    assert_refused(run("info", recording, "--height", 0, "--width", 30), "--height")
    (tmp_path / "a.txt").touch()
    assert_refused(run("info", tmp_path / "a.txt"), "a.txt", ".dat, .npz, .npy, .h5")
    half = tmp_path / "half.h5"
    half.write_bytes(shard.read_bytes()[:5000])
    assert_refused(run("info", half), "cannot read", "half.h5")
    assert_refused(run("info", shard.with_name("none.h5")), "does not exist")
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    (copy / INDEX).write_text("{")
    assert_refused(run("info", copy), "dataset.json is no index of a dataset")


def test_size_options_reach_the_reader(run: Run, tmp_path: Path) -> None:
    dense = np.random.default_rng(2).integers(0, 2, (5, 6, 10), np.uint8)
    write_spikes(tmp_path / "a.dat", SpikeStream.from_dense(dense), flip=False, header_columns=6, describe=False)
    words = ["--height", "6", "--width", "10", "--header-columns", "6", "--no-flip"]
    assert run("convert", tmp_path / "a.dat", tmp_path / "a.npy", *words).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), dense)
    np.save(tmp_path / "hwt.npy", dense.transpose(1, 2, 0))
    assert run("convert", tmp_path / "hwt.npy", tmp_path / "thw.npy", "--axes", "HWT").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "thw.npy"), dense)


# convert


def test_convert_between_spike_formats(run: Run, recording: Path, tmp_path: Path) -> None:
    places = [recording, *(tmp_path / f"out/a{extension}" for extension in (".npy", ".npz", ".h5", ".dat"))]
    for number, (before, after) in enumerate(pairwise(places)):
        result = run("convert", before, after, *(["--height", 18, "--width", 30] if number == 0 else []))
        assert (result.code, result.out, result.err) == (0, "", f"{after}: 12 readouts\n")
    assert places[-1].read_bytes() == recording.read_bytes()


def test_convert_a_dataset_to_the_released_layout_and_back(run: Run, dataset: Path, tmp_path: Path) -> None:
    layout, back = tmp_path / "layout", tmp_path / "back"
    result = run("convert", dataset, layout)
    assert (result.code, result.err) == (0, f"{layout}: 4 samples in the released layout\n")
    assert (layout / "train/spike_data/clip/000019.dat").is_file()
    result = run("convert", layout, back)
    assert (result.code, result.err) == (0, f"{back}: 4 samples in shards\n")
    for split in get_args(Split):
        for before, after in zip(open_dataset(dataset, split), open_dataset(back, split), strict=True):
            assert (before.blur.tobytes(), before.sharp.tobytes()) == (after.blur.tobytes(), after.sharp.tobytes())
            assert [s.packed.tobytes() for s in before.spikes.values()] == [
                s.packed.tobytes() for s in after.spikes.values()
            ]
    (layout / "spikesim.json").unlink()
    assert_refused(run("convert", layout, tmp_path / "foreign"), "does not say its threshold; give it with --vth")
    assert_refused(run("convert", layout, tmp_path / "foreign", "--vth", 0), "v_th must be a positive finite number")
    assert run("convert", layout, tmp_path / "foreign", "--vth", 1).code == 0
    assert open_dataset(tmp_path / "foreign", "train").thresholds == (1.0,)


def test_convert_a_sample_to_a_spike_file(run: Run, shard: Path, tmp_path: Path) -> None:
    output = tmp_path / "one.npz"
    assert run("convert", shard, output, "--vth", 2, "--sample", 1).code == 0
    with ShardReader(shard) as reader:
        expected = reader.spikes(1, 2.0)
    stream = read_spikes(output)
    np.testing.assert_array_equal(stream.packed, expected.packed)
    assert stream.camera == expected.camera


def test_convert_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.npz"
    size = ("--height", 18, "--width", 30)
    assert_refused(run("convert", tmp_path / "none.dat", output), "none.dat does not exist")
    assert_refused(run("convert", recording, tmp_path / "a.txt", *size), "a.txt")
    assert_refused(run("convert", recording, output, "--height", 17, "--width", 30), "recording.dat has 816 bytes")
    assert_refused(run("convert", shard, output), "has spikes of the thresholds 1, 2; say which")
    assert_refused(run("convert", shard, output, "--vth", 4), "no spikes of threshold 4; it has 1, 2")
    for number in (2, -1):
        assert_refused(run("convert", shard, output, "--vth", 1, "--sample", number), "samples 0..1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    assert_refused(run("convert", dataset, tmp_path / "full"), "full exists already and is not an empty folder")
    assert not output.exists()


# verify


def test_verify(run: Run, dataset: Path, tmp_path: Path) -> None:
    result = run("verify", dataset)
    assert (result.code, result.out) == (0, "")
    assert "2 shards, 4 samples" in result.err
    assert "all whole" in result.err
    record = run("verify", dataset, "--json").json
    assert record["damaged"] == 0
    assert [check["samples"] for check in record["shards"]] == [2, 2]
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    path = copy / "train/clip.000.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (copy / "test/clip.000.h5").unlink()
    result = run("verify", copy)
    assert_refused(result, "2 of 2 shards of", f"{path} has other bytes", "lists test/clip.000.h5, which is missing")
    result = run("verify", copy, "--json")
    assert result.code == 2
    assert result.json["damaged"] == 2
    assert [bool(check["problem"]) for check in result.json["shards"]] == [True, True]
    for wrong in (tmp_path / "none", path):
        assert_refused(run("verify", wrong), "there is no dataset at")


# view


@pytest.mark.parametrize("look", get_args(Look))
def test_view_a_recording(run: Run, recording: Path, tmp_path: Path, look: str) -> None:
    size = ("--height", 18, "--width", 30, "--as", look, "--window", 5)
    for name in ("strip.png", "film.gif", "film.mp4"):
        result = run("view", recording, tmp_path / name, *size)
        assert (result.code, result.out, result.err) == (0, "", f"wrote {tmp_path / name}\n")
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width >= 5 * 400
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 12
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_view_a_sample(run: Run, dataset: Path, shard: Path, tmp_path: Path) -> None:
    def pixels(*words: object) -> np.ndarray:
        assert run("view", words[0], tmp_path / "a.png", *words[1:]).code == 0
        with Image.open(tmp_path / "a.png") as picture:
            return np.asarray(picture)

    first = pixels(shard)
    np.testing.assert_array_equal(pixels(dataset), first)
    second = pixels(shard, "--sample", 1)
    assert not np.array_equal(second, first)
    np.testing.assert_array_equal(pixels(dataset, "--sample", -1), second)
    assert pixels(dataset, "--split", "test").shape == first.shape


def test_view_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.png"
    assert_refused(run("view", tmp_path / "none", output), "none does not exist")
    assert_refused(run("view", shard, tmp_path / "a.jpg"), "a.jpg: pictures are .png, films .gif or .mp4")
    assert_refused(run("view", recording, output), "give height and width")
    assert_refused(run("view", recording, output, "--height", 18, "--width", 30, "--window", 13), "a window of 13")
    assert_refused(run("view", shard, output, "--window", 138), "a window of 138")
    assert_refused(run("view", shard, output, "--window", 0), "--window")
    for number in (2, -1):
        assert_refused(run("view", shard, output, "--sample", number), "samples 0..1")
    for number in (2, -3):
        assert_refused(run("view", dataset, output, "--sample", number), f"2 samples, there is no sample {number}")
    assert_refused(run("view", shard, output, "--as", "rainbow"), "'rainbow' is not one of")
    shards_to_layout(dataset, tmp_path / "layout")
    assert_refused(run("view", tmp_path / "layout", output), "convert it first: spikesim convert")
    train = tmp_path / "train"
    shutil.copytree(dataset / "train", train / "train")
    assert_refused(run("view", train, output, "--split", "test"), "no samples of the split 'test'; it has train")
    assert not output.exists()


# demo


def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(key: str, scene: str, n_frames: int) -> DemoClip:
        return DemoClip(key, scene, n_frames, HEIGHT, WIDTH)

    monkeypatch.setattr(sources, "DemoClip", small)
    monkeypatch.setattr("spikesim_cli.commands.demo._FRAMES", 29)  # one window
    monkeypatch.setattr(scenes, "SCENES", {"street": scenes.SCENES["street"]})
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--workers", 1)
    assert result.code == 0
    assert files(out) == [
        "dataset/dataset.json", "dataset/train/street.000.h5", "first.mp4", "street_1.png",
    ]  # fmt: skip
    assert "verified: every shard is whole" in result.err
    samples = open_dataset(out / "dataset", "train")
    assert samples.thresholds == (1.0, 2.0, 4.0)
    rows = [line.split("│")[1:-1] for line in result.out.splitlines() if "train/street" in line]
    assert [(int(row[1]), float(row[2])) for row in rows] == [(1, 1), (1, 2), (1, 4)]
    for row, stream in zip(rows, samples[0].spikes.values(), strict=True):
        assert float(row[3]) == pytest.approx(tfp(stream, 68, 97).mean(), rel=1e-3)
        assert float(row[4]) > 0.9  # the exposure's TFP is a picture of the blur
    path = out / "dataset/train/street.000.h5"
    path.write_bytes(path.read_bytes().replace(b"spikesim demo", b"spikesim dema"))
    assert_refused(run("demo", "--out", out, "--workers", 1), "street.000.h5 has other bytes")


# doctor


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikesim_cli.commands import doctor

    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    parts = {row["part"]: row["state"] for row in run("doctor", "--json").json}
    assert {name: parts[name] for name in doctor._CHECKS} == dict.fromkeys(doctor._CHECKS, "ok")
    assert all(name in result.out for name in doctor._CHECKS)

    def broken() -> str:
        raise RuntimeError("it [rattles]")

    monkeypatch.setitem(doctor._CHECKS, "video", broken)
    monkeypatch.setitem(doctor._EXTRAS, "ssdm", ("no-such-package",))
    result = run("doctor")
    assert result.code == 2
    assert "it [rattles]" in result.out
    assert "spikesim[ssdm]" in result.out
    assert result.err == "Error: not working: video\n"
    (record,) = [row for row in run("doctor", "--json").json if row["part"] == "video"]
    assert record == {"part": "video", "state": "FAILS", "detail": "RuntimeError: it [rattles]"}


# What is said where


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `verify` raise something."""

    def plant(error: BaseException) -> None:
        def fail(path: Path) -> Iterator[object]:
            raise error

        monkeypatch.setattr("spikesim_datasets.shards.verify_dataset", fail)

    return plant


def test_an_interrupt_is_one_line(run: Run, broken: Callable[[BaseException], None]) -> None:
    broken(KeyboardInterrupt())
    result = run("verify", "data")
    assert (result.code, result.out) == (130, "")
    (line,) = result.err.split("\n\n")[-1].strip().splitlines()
    assert line.startswith("Interrupted. Finished files are kept")


def test_what_the_system_refuses_is_one_line(run: Run, broken: Callable[[BaseException], None]) -> None:
    broken(PermissionError(13, "Permission denied", "/root/secret"))
    assert_refused(run("verify", "data"), "[Errno 13] Permission denied: '/root/secret'")


def test_defects_are_not_hidden(run: Run, broken: Callable[[BaseException], None]) -> None:
    broken(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run("verify", "data")


def test_a_reader_that_has_gone_is_no_error_to_tell(dataset: Path) -> None:
    code = "from spikesim_cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "info", dataset], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "")


@pytest.mark.parametrize("name", ["[red]name[/red]", "[/red]", ":smile:", "n" * 200])
def test_names_are_printed_as_they_are(run: Run, recording: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "a.npz"
    assert run("convert", recording, path, "--height", 18, "--width", 30).err == f"{path}: 12 readouts\n"
    table = run("info", path)
    assert table.code == 0
    words = "".join(line.split("┃")[2].strip() for line in table.out.splitlines() if "┃" in line)
    assert words.replace(" ", "") == str(path)
    assert_refused(run("verify", path), str(path))


def test_without_a_terminal_there_are_plain_lines(run: Run, frames: Path, dataset: Path, tmp_path: Path) -> None:
    results = [
        run("build", frames, "--out", tmp_path, "--interp", "linear", "--workers", 1),
        run("verify", dataset),
        run("info", dataset),
        run("verify", tmp_path / "none"),
    ]
    for result in results:
        assert "\x1b" not in result.out + result.err
        assert "\r" not in result.out + result.err


def test_progress_is_a_bar_on_a_terminal_and_a_line_now_and_then_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown_on(terminal: bool) -> str:
        screen = io.StringIO()
        monkeypatch.setattr(console, "messages", Console(file=screen, force_terminal=terminal, width=100))
        steps = console.Steps("samples")
        with steps.shown():
            for _ in range(3):
                steps.advance(2, 6)
        return screen.getvalue()

    assert shown_on(False) == "samples: 6 of 6\n"
    bar = shown_on(True)
    assert "\x1b" in bar
    assert "6/6" in bar
    clock = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    assert shown_on(False) == "samples: 4 of 6\nsamples: 6 of 6\n"


def test_amounts_in_words() -> None:
    assert [console.size(count) for count in (0, 999, 1000, 12_345_678, 3 * 10**9, 5 * 10**15)] == [
        "0 B", "999 B", "1 kB", "12.3 MB", "3 GB", "5e+03 TB",
    ]  # fmt: skip
    assert [console.duration(seconds) for seconds in (0.2, 59, 89, 90, 5399, 5400, 36_000)] == [
        "0 s", "59 s", "89 s", "2 min", "90 min", "1.5 h", "10.0 h",
    ]  # fmt: skip


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
