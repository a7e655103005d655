"""The command line: every command, its help and defaults, and what is said where."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import get_args, get_type_hints

import click
import commands
import pytest
from commands import Run, assert_refused, command, shown

import spikesim
from spikesim import PRESETS
from spikesim.formats.axis_order import AXES
from spikesim_cli import console
from spikesim_cli.main import COMMANDS, main
from spikesim_datasets.camera_choice import DEFAULT_PRESET
from spikesim_datasets.clip_interpolation import interpolate_clip
from spikesim_datasets.comparison import EVERY, MOST
from spikesim_datasets.exposure import EXPOSURES, ExposurePlan, Sharp
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.optics import Downscale, Optics, Ratio
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.rig import Rig
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.sources import Reading, Split
from spikesim_datasets.synthesis import Stretch
from spikesim_datasets.visualisation import Look
from spikesim_report.words import size

run = commands.run
frames = commands.frames
dataset = commands.dataset
recording = commands.recording

# Every command and its help


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


SPEC = {
    "weights": "looked up by its published name",
    **{name: str(getattr(InterpolatorSpec, name)).lower() for name in ("device", "tile", "precision")},
}
"""Shown of what a network can be told."""

READING = {
    **{field.name: field.default for field in fields(Reading)},
    **dict.fromkeys(("matrix", "transfer"), "as a video says"),
}


@pytest.mark.parametrize("name", ["build", "build-gopro"])
def test_shown_defaults_of_builds_are_those_of_the_library(name: str) -> None:
    recipe = make_recipe()
    assert shown(name) == {
        "start": str(Stretch.start),
        "frames": "to the end",
        "vth": ", ".join(f"{camera.v_th:g}" for camera in recipe.cameras) + ", or that of --camera",
        "preset": DEFAULT_PRESET,
        "factor": str(recipe.plan.factor),
        "exposure": next(name for name, plan in EXPOSURES.items() if plan == recipe.plan),
        "exposure_frames": str(recipe.plan.frames),
        "gap": f"{recipe.plan.gap}, less than a raw frame",
        "padding": str(recipe.plan.padding),
        "misalign_per": f"{Rig.per}, or that of RIG",
        "sharp": f"{recipe.sharp_of('train')} for train, {recipe.sharp_of('test')} for test",
        "workers": "one a core",
        "interpolation": recipe.interpolation.name,
        "downscale": recipe.optics.downscale,
        "ratio": str(recipe.optics.ratio),
        "response": recipe.optics.response.record(),
        **SPEC,
        **READING,
        **{name: str(getattr(recipe, name)) for name in ("seed", "cuts", "shard_samples", "compression")},
    }
    assert recipe.plan == ExposurePlan()


def test_shown_defaults_of_simulate_are_those_of_the_library() -> None:
    assert shown("simulate") == {
        "vth": "the sensor's",
        "preset": DEFAULT_PRESET,
        "interpolation": InterpolatorSpec.name,
        "downscale": Optics.downscale,
        "ratio": str(Optics.ratio),
        "response": Optics().response.record(),
        "start": str(Stretch.start),
        "frames": "to the end",
        "factor": str(Stretch.factor),
        "seed": str(signature(spikesim.simulate).parameters["seed"].default),
        **SPEC,
        **READING,
    }
    assert Stretch.frames is None


def test_shown_defaults_of_interpolate_are_those_of_the_library() -> None:
    assert shown("interpolate") == {
        "interpolations": f"{InterpolatorSpec.name}; flow and linear with --check",
        "start": str(Stretch.start),
        "frames": "to the end",
        "factor": str(Stretch.factor),
        "every": f"{EVERY}, more in clips that would have over {MOST}",
        "fps": str(signature(interpolate_clip).parameters["fps"].default),
        **SPEC,
        **READING,
    }


def test_choices_are_those_of_the_library() -> None:
    def choices(name: str, option: str) -> tuple[str, ...]:
        (kind,) = [option_.type for option_ in command(name).params if option_.name == option]
        assert isinstance(kind, click.Choice)
        return tuple(kind.choices)

    assert choices("build", "split") == get_args(Split)
    assert choices("build", "sharp") == get_args(Sharp)
    assert choices("build", "compression") == get_args(Compression)
    for name in ("simulate", "build"):
        assert choices(name, "downscale") == get_args(Downscale)
        assert choices(name, "ratio") == tuple(map(str, get_args(Ratio)))
    assert choices("view", "look") == get_args(Look)
    for name, kind in get_type_hints(Reading).items():
        assert choices("build", name) == choices("interpolate", name) == get_args(kind)
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


# doctor


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikesim_cli.commands import doctor

    monkeypatch.setattr(doctor, "_TIMED", 0.01)
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    parts = {row["part"]: row["state"] for row in run("doctor", "--json").json}
    others = {"GPU": "absent", "weights": "absent", "disk": "slow", "speed": "slow"}
    assert all(parts[name] in ("ok", others.get(name)) for name in doctor._CHECKS)
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


def test_doctor_says_what_is_slow_and_which_weights_there_are(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from spikesim_cli.commands import doctor

    rates = iter([300.0, 10.0, 3000.0, 10.0])
    monkeypatch.setattr(doctor, "_rate", lambda *_: next(rates))
    monkeypatch.setattr(doctor, "_DISK_SPEED", 10**9)
    monkeypatch.setenv("SPIKESIM_WEIGHTS", str(tmp_path))
    (tmp_path / "flownet.pkl").write_bytes(b"none")
    slow = {row["part"]: row for row in run("doctor", "--json").json}
    assert slow["speed"]["state"] == slow["disk"]["state"] == "slow"
    assert "30 times plain numpy, where 100 or more are right; remove" in slow["speed"]["detail"]
    assert "write datasets to a local disk" in slow["disk"]["detail"]
    assert f"RIFE {tmp_path}/flownet.pkl, SHA-256 140bedbf9c3f6d56" in slow["weights"]["detail"]
    assert {row["part"]: row["state"] for row in run("doctor", "--json").json}["speed"] == "ok"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run("completion", shell)
    assert (printed.code, f"_SPIKESIM_COMPLETE={shell}_complete" in printed.out) == (0, True)
    # What is printed calls the program so.
    words = {"COMP_WORDS": "spikesim comp", "COMP_CWORD": "comp" if shell == "fish" else "1"}
    for name, value in {**words, "_SPIKESIM_COMPLETE": f"{shell}_complete"}.items():
        monkeypatch.setenv(name, value)
    program = "import sys; sys.argv = ['spikesim']; from spikesim_cli.main import main; main()"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "completion" in told.stdout


# What is said where


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `verify` raise something."""

    def plant(error: BaseException) -> None:
        def fail(*arguments: object) -> Iterator[object]:
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
    said = f"{path}: 12 readouts"
    assert run("convert", recording, path, "--height", 18, "--width", 30).err.splitlines()[-1] == said
    table = run("info", path)
    assert table.code == 0
    words = "".join(line.split("┃")[2].strip() for line in table.out.splitlines() if "┃" in line)
    assert words.replace(" ", "") == str(path)
    assert run("verify", path).err.splitlines()[-1].startswith(f"{said}, ")
    path.write_bytes(b"")
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


def test_amounts_in_words() -> None:
    assert [size(count) for count in (0, 999, 1000, 12_345_678, 3 * 10**9, 5 * 10**15)] == [
        "0 B", "999 B", "1 kB", "12.3 MB", "3 GB", "5e+03 TB",
    ]  # fmt: skip
    assert [console.duration(seconds) for seconds in (0.2, 59, 89, 90, 5399, 5400, 36_000)] == [
        "0 s", "59 s", "89 s", "2 min", "90 min", "1.5 h", "10.0 h",
    ]  # fmt: skip
