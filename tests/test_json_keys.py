"""What `--json` prints is what each command promises: one JSON document whose keys are those described, no others."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import click
import commands
import deblurring_data
import evaluation_data
import numpy as np
import pytest
from baseline_data import SEVEN
from build_data import write_frames
from commands import Run, assert_refused, command
from PIL import Image
from source_data import video_frame
from training_data import write_moving

from spikesim import SpikeStream, write_spikes
from spikesim_cli import console
from spikesim_cli.json_option import JsonDocument, JsonOption, documents_of
from spikesim_cli.main import COMMANDS
from spikesim_datasets import scenes, sources
from spikesim_datasets.build import build_clips
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip, Split, open_clips

run = commands.run
frames, dataset, shard, recording = commands.frames, commands.dataset, commands.shard, commands.recording
recorded, checkpoint, ldn = deblurring_data.recorded, deblurring_data.checkpoint, deblurring_data.ldn
evaluated_data, trained = evaluation_data.data, evaluation_data.run

PRINTING = [name for name in COMMANDS if documents_of(command(name))]
SIZE = ("--height", 18, "--width", 30)
FAST = ("--interp", "linear", "--workers", 1)


def leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a document that holds no further keys, with the keys that lead to it."""
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from leaves(entry, (*place, key))
    elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        for entry in value:
            yield from leaves(entry, (*place, "[]"))
    else:
        yield place, value


def parts(key: str) -> list[str]:
    """The parts of a described key, as patterns: `a[].{b}` is a, [] and anything; `*` stays."""
    words = key.replace("[]", ".[]").lstrip(".").split(".")
    return [word if word == "*" else re.sub(r"\\\{\w+\\\}", ".+", re.escape(word)) for word in words]


def describes(key: str, place: tuple[str, ...]) -> bool:
    """Whether a described key is that of a value."""
    patterns = parts(key)
    if patterns[-1] == "*" and len(place) >= len(patterns):
        patterns, place = patterns[:-1], place[: len(patterns) - 1]
    return len(patterns) == len(place) and all(map(re.fullmatch, patterns, place))


def would_lie_in(key: str, place: tuple[str, ...]) -> bool:
    """Whether a described key would lie in an object or a list that is empty."""
    patterns = parts(key)
    return len(patterns) > len(place) and all(map(re.fullmatch, patterns, place))


def differences(keys: Mapping[str, str], documents: list[Any]) -> list[str]:
    """How what was printed differs from what is described: keys that are not described, or that never came."""
    found = [leaf for document in documents for leaf in leaves(document)]
    more = {
        ".".join(place)
        for place, value in found
        if not any(describes(key, place) or (value in ([], {}) and would_lie_in(key, place)) for key in keys)
    }
    less = [key for key in keys if not any(describes(key, place) for place, _ in found)]
    return [*(f"{key} is not described" for key in sorted(more)), *(f"{key} did not come" for key in less)]


def check(name: str, printed: Mapping[str, list[Any]]) -> None:
    """Compare what a command printed in each of its cases with what it describes."""
    documents = {document.case: document for document in documents_of(command(name))}
    assert documents.keys() == printed.keys()
    for case, document in documents.items():
        assert (case, differences(document.keys, printed[case])) == (case, [])


@pytest.fixture
def told(run: Run) -> Callable[..., Any]:
    """What a command prints with `--json`, which is one document and nothing else."""

    def told(*arguments: object, code: int = 0) -> Any:
        result = run(*arguments, "--json")
        assert result.code == code, result.err
        return result.json

    return told


Told = Callable[..., Any]


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """45 frames of two scenes."""
    rng = np.random.default_rng(0)
    looks = [np.kron(rng.integers(0, 256, (9, 15, 3), np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in range(2)]
    (tmp_path / "cut").mkdir()
    for number in range(45):
        Image.fromarray(looks[number >= 20]).save(tmp_path / "cut" / f"{number:06d}.png")
    return tmp_path / "cut"


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return write_frames(tmp_path / "short", 5)


def write_two_streams(path: Path) -> Path:
    """A video beside another one in the same file."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=30) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(30):
            image = av.VideoFrame.from_ndarray(video_frame(number), format="rgb24")
            container.mux([packet for stream in streams for packet in stream.encode(image)])
    return path


# Every command


def test_build(told: Told, cut: Path, short: Path, tmp_path: Path) -> None:
    words = ("build", cut, short, "--out", tmp_path / "out", *FAST)
    plan = told(*words, "--dry-run")
    check("build", {"a build": [told(*words)], "--dry-run": [plan]})


def test_build_gopro(told: Told, cut: Path, short: Path, tmp_path: Path) -> None:
    for place in (cut, short):
        (tmp_path / "GOPRO" / "train").mkdir(parents=True, exist_ok=True)
        place.rename(tmp_path / "GOPRO" / "train" / place.name)
    words = ("build-gopro", "--root", tmp_path / "GOPRO", "--out", tmp_path / "out", *FAST)
    plan = told(*words, "--dry-run")
    check("build-gopro", {"a build": [told(*words)], "--dry-run": [plan]})


def test_simulate(told: Told, frames: Path, tmp_path: Path) -> None:
    check("simulate", {"": [told("simulate", frames, tmp_path / "a.npz", "--interp", "linear", "--frames", 3)]})


def test_interpolate(told: Told, cut: Path, frames: Path, tmp_path: Path) -> None:
    written = told("interpolate", cut, tmp_path / "out", "--interp", "linear", "--frames", 25)
    compared = told("interpolate", "--check", frames, "--interp", "linear")
    check("interpolate", {"frames that are written": [written], "--check": [compared]})


def test_training(told: Told, tmp_path: Path) -> None:
    write_moving(tmp_path / "data", {"train/a": 2}, sharp=SEVEN)
    words = ("--data", tmp_path / "data", "--vth", 1, "--crop", 32, "--batch", 2, "--epochs", 1, "--workers", 0)
    words = (*words, "--device", "cpu", "--out", tmp_path / "run")
    check("train-ssdm", {"": [told("train-ssdm", "--stage", "sr", *words)]})
    check("train-baseline", {"": [told("train-baseline", "trmd", "--small", *words)]})


def test_eval_ssdm(told: Told, evaluated_data: Path, trained: Path) -> None:
    words = ("--data", evaluated_data, "--run", trained, "--vth", 1, "--limit", 1, "--single", "--device", "cpu")
    check("eval-ssdm", {"": [told("eval-ssdm", *words)]})


def test_deblur(told: Told, recorded: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ("--checkpoint", checkpoint, "--exposure", 5, 25, "--frames", 1, "--crop", 0, 0, 52, 36)
    one = told("deblur", recorded / "blur.png", recorded / "spikes.npz", tmp_path / "one", *words)
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    shutil.copy(recorded / "blur.png", pairs / "1.png")
    shutil.copy(recorded / "bare.dat", pairs / "1.dat")
    check("deblur", {"one image and its spikes": [one], "folders": [told("deblur", pairs, pairs, tmp_path, *words)]})


def test_info(told: Told, frames: Path, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    shards_to_layout(dataset, tmp_path / "layout")
    pairs = tmp_path / "pairs" / "street"
    pairs.mkdir(parents=True)
    for kind in ("blur", "spike"):
        path = next((tmp_path / "layout" / "train" / f"{kind}_data").glob("*/*.*"))
        shutil.copy(path, pairs / f"1{path.suffix}")
    (tmp_path / "all").mkdir()
    video = write_two_streams(tmp_path / "all" / "two.mkv")
    shutil.copytree(frames, tmp_path / "all" / "clip")
    check(
        "info",
        {
            "a dataset": [told("info", dataset)],
            "a shard": [told("info", shard)],
            "a folder in the layout of the S-SDM release, or of recordings": [
                told("info", tmp_path / "layout"),
                told("info", tmp_path / "pairs"),
            ],
            "a spike file": [told("info", recording, *SIZE)],
            "a source of one clip": [told("info", frames), told("info", video)],
            "a source of several clips": [told("info", tmp_path / "all")],
        },
    )


def test_view(told: Told, run: Run, recording: Path, shard: Path, tmp_path: Path) -> None:
    image = told("view", shard, tmp_path / "a.png")
    video = told("view", recording, tmp_path / "a.gif", "--window", 5, *SIZE)
    check("view", {"": [image, video]})
    assert (image["kind"], image["frames"]) == ("shard", None)
    assert video == {
        "output": str(tmp_path / "a.gif"), "kind": "spikes", "frames": 12,
        "bytes": (tmp_path / "a.gif").stat().st_size, "rerun": None,
    }  # fmt: skip
    assert_refused(run("view", shard, "--json"), "--json is about OUTPUT, and there is none")


def test_report(told: Told, recording: Path, tmp_path: Path) -> None:
    record = told("report", recording, *SIZE, "--out", tmp_path / "a.html")
    check("report", {"": [record]})
    assert record["bytes"] == (tmp_path / "a.html").stat().st_size
    assert record["sections"]


def test_convert(told: Told, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    layout, zoo, back = tmp_path / "layout", tmp_path / "zoo", tmp_path / "back"
    write_moving(tmp_path / "data", {"train/a": 1})
    folders = [
        told("convert", dataset, layout, "--vth", 1),
        told("convert", tmp_path / "data", zoo, "--to", "spikezoo", "--vth", 1),
        told("convert", layout, back),
    ]
    assert [(record["kind"], record["samples"]) for record in folders] == [
        ("dataset", 4), ("dataset", 1), ("layout", 4),
    ]  # fmt: skip
    files = [
        told("convert", recording, tmp_path / "a.npz", *SIZE),
        told("convert", shard, tmp_path / "b.dat", "--vth", 1),
    ]
    check("convert", {"a folder": folders, "a spike file": files})
    assert files[0] == {
        "output": str(tmp_path / "a.npz"), "kind": "spikes", "readouts": 12, "height": 18, "width": 30,
    }  # fmt: skip


def test_verify(told: Told, frames: Path, dataset: Path, recording: Path, trained: Path, tmp_path: Path) -> None:
    shards_to_layout(dataset, tmp_path / "layout")
    own = tmp_path / "own"
    build_clips(open_clips([frames], "train"), own, make_recipe((1,), interpolation="linear"), workers=1)
    (path,) = own.rglob("*.h5")
    path.write_bytes(b"damaged")
    damaged = told("verify", own, code=2)
    shutil.copy(dataset / "train" / "clip.000.h5", own / "train" / "other.h5")
    check(
        "verify",
        {
            "a dataset": [told("verify", dataset), damaged],
            "a dataset with --repair": [told("verify", own, "--repair", "--workers", 1, code=2)],
            "a folder in the layout of the S-SDM release": [told("verify", tmp_path / "layout")],
            "the folder of a training": [told("verify", trained)],
            "a file": [told("verify", recording, *SIZE)],
        },
    )


def test_index(told: Told, dataset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    check("index", {"": [told("index", copy)]})


def test_calibrate(told: Told, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, rate in (("dark", 0.01), ("dim", 0.2), ("bright", 0.4)):
        stream = SpikeStream.from_dense((rng.random((1000, 5, 8)) < rate).astype(np.uint8))
        write_spikes(tmp_path / f"{name}.npz", stream)
    places = [tmp_path / f"{name}.npz" for name in ("dark", "dim", "bright")]
    check("calibrate", {"": [told("calibrate", *places, "--out", tmp_path / "c.npz")]})


def test_demo(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(split: Split, name: str, scene: str, n_frames: int) -> DemoClip:
        return DemoClip(split, name, scene, n_frames, 72, 120)

    monkeypatch.setattr(sources, "DemoClip", small)
    monkeypatch.setattr("spikesim_cli.commands.demo._FRAMES", 29)  # one window
    monkeypatch.setattr(scenes, "SCENES", {"street": scenes.SCENES["street"]})
    record = told("demo", "--out", tmp_path / "demo", "--workers", 1)
    check("demo", {"": [record]})
    for path in (record["dataset"], *record["images"], record["video"], record["report"]):
        assert Path(path).exists()
    assert [row["v_th"] for row in record["agreement"]] == [1, 2, 4]


def test_doctor(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikesim_cli.commands import doctor

    monkeypatch.setattr(doctor, "_CHECKS", {"python": doctor._python})
    check("doctor", {"": [told("doctor")]})


# What holds for all of them


def test_every_command_that_tells_something_prints_json() -> None:
    assert set(COMMANDS) - set(PRINTING) == {"completion"}
    assert {f"test_{name.replace('-', '_')}" for name in PRINTING} - globals().keys() == {
        "test_train_ssdm", "test_train_baseline",
    }  # fmt: skip  # which `test_training` checks


@pytest.mark.parametrize("name", PRINTING)
def test_descriptions_say_something(name: str) -> None:
    documents = documents_of(command(name))
    assert len({document.case for document in documents}) == len(documents)
    assert (len(documents) == 1) == (documents[0].case == "")
    for document in documents:
        assert document.keys
        for key, meaning in document.keys.items():
            assert re.fullmatch(r"(\[\]\.)?[a-z{}_0-9]+(\[\])?(\.[a-z{}_0-9]+(\[\])?)*(\.\*)?", key)
            assert meaning
            assert "\n" not in meaning
    (option,) = [option for option in command(name).params if isinstance(option, JsonOption)]
    assert (option.name, option.opts) == ("as_json", ["--json"])


@pytest.mark.parametrize("name", PRINTING)
def test_bad_input_prints_nothing_to_stdout(
    run: Run, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    arguments = {
        "simulate": ("none", "a.npz"), "interpolate": ("none", "out"), "build": ("none", "--out", "out"),
        "train-baseline": ("red", "--data", "none"), "deblur": ("none.png", "none.dat", "out"),
        "view": ("none", "a.png"), "report": ("none",), "convert": ("none", "a.dat"),
        "calibrate": ("a", "b", "--out", "c"), "info": ("none",), "verify": ("none",),
        "index": ("none",), "demo": ("--out", "file"), "doctor": ("--none",),
        "build-gopro": (), "train-ssdm": (), "eval-ssdm": (),
    }  # fmt: skip
    assert_refused(run(name, *arguments[name], "--json"))


def test_numbers_that_json_does_not_have_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": [float("inf"), 1.5], "b": {"c": float("nan")}, "d": Path("e")})
    assert re.sub(r"\s", "", capsys.readouterr().out) == '{"a":[null,1.5],"b":{"c":null},"d":"e"}'


# The guard itself


DOCUMENT = {"a": 1, "b": [{"c": 1, "d": {"x/y": [1, 2]}}], "e": {"f": {"g": None}}, "h": [], "i": {}}
KEYS = ("a", "b[].c", "b[].d.{clip}", "e.*", "h", "i")


def test_described_documents_pass() -> None:
    assert differences(dict.fromkeys(KEYS, "what"), [DOCUMENT]) == []
    assert differences({"[].a": "what"}, [[{"a": 1}]]) == []
    assert differences({"a.{clip}.b": "what"}, [{"a": {}}, {"a": {"c": {"b": 1}}}]) == []
    assert differences({"{split}_samples": "what"}, [{"test_samples": 1}]) == []


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (KEYS[1:], ["a is not described"]),
        ((*KEYS, "b[].g"), ["b[].g did not come"]),
        (("a", "b[].c", "b[].z", "e.*", "h", "i"), ["b.[].d.x/y is not described", "b[].z did not come"]),
        (("a", "b.c", "b[].d.{clip}", "e.*", "h", "i"), ["b.[].c is not described", "b.c did not come"]),
        (("a", "b[].c", "b[].d.{clip}", "e.f", "h", "i"), ["e.f.g is not described", "e.f did not come"]),
        ((*KEYS, "i.{clip}"), ["i.{clip} did not come"]),
        ((*KEYS, "h[].j"), ["h[].j did not come"]),
    ],
)
def test_a_planted_difference_is_found(keys: tuple[str, ...], found: list[str]) -> None:
    assert differences(dict.fromkeys(keys, "what"), [DOCUMENT]) == found


def test_a_planted_command_without_json_has_no_documents() -> None:
    assert documents_of(click.Command("none", params=[click.Option(["--json"])])) == ()
    assert documents_of(click.Command("one", params=[JsonOption(["--json"], documents=(JsonDocument({}),))])) != ()
