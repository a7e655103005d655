"""The command that deblurs, and what it says without the packages it needs."""

from pathlib import Path
from typing import Any

import click
import commands
import deblurring_data
import numpy as np
import pytest
import torch
from commands import Run, assert_refused, command, shown
from deblurring_data import EXPOSURE, PLAN, content, scene
from PIL import Image

from spikesim import SpikeStream, write_spikes
from ssdm_models import deblur, exposure_times, recordings, tiled_deblurring
from ssdm_models.deblur import TorchDeblurrer, deblur_frames
from ssdm_models.ldn import LDN
from ssdm_models.recordings import deblur_recording
from ssdm_models.trained_networks import load_deblurring

run = commands.run
checkpoint, ldn, recorded, released = (
    deblurring_data.checkpoint,
    deblurring_data.ldn,
    deblurring_data.recorded,
    deblurring_data.released,
)


def test_deblur(run: Run, recorded: Path, checkpoint: Path, ldn: LDN, tmp_path: Path) -> None:
    words = ("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "out", "--checkpoint", checkpoint)
    result = run(*words, "--exposure", 5, 25)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == [
        "the spikes are taken to be of V_th 1, by the light of both; their file does not say",
        "frames: 7 of 7",
        f"{tmp_path / 'out'}: 7 frames of 52×36, at readouts 5 to 24",
    ]
    deblur_recording(TorchDeblurrer(ldn), scene(), tmp_path / "same", exposure=EXPOSURE)
    assert content(tmp_path / "out") == content(tmp_path / "same")
    again = run(*words, "--exposure", 5, 25, "--json")
    assert again.json == {
        "output": str(tmp_path / "out"),
        "files": [str(tmp_path / "out" / f"{time:06d}.png") for time in (5, 8, 11, 15, 18, 21, 24)],
        "readouts": [5, 8, 11, 15, 18, 21, 24],
        "kept": 7,
        "width": 52,
        "height": 36,
    }
    assert run(*words, "--exposure", 5, 25).err.endswith("at readouts 5 to 24, 7 of them kept\n")
    assert_refused(run(*words, "--at", 9), "made otherwise (other readouts, exposure)", "--overwrite")
    assert run(*words, "--at", 9, "--overwrite").err.endswith("1 frame of 52×36, at readout 9\n")


@pytest.mark.parametrize("words", ["--at 9 14 3", "--at 9,14,3", "--at 9 --at 14 --at 3", "--at=9 14,3"])
def test_times_are_given_as_people_write_them(words: str) -> None:
    for arguments in (["b.png", "s.dat", "out", "--checkpoint", "c", *words.split()],
                      [*words.split(), "--checkpoint", "c", "b.png", "s.dat", "out"]):  # fmt: skip
        with command("deblur").make_context("deblur", arguments) as context:
            assert context.params["at"] == (9, 14, 3)
            assert context.params["output"] == Path("out")


def test_options_reach_the_library(run: Run, recorded: Path, released: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.gif"
    words = ["--frames", 2, "--exposure", 12, 18, "--fps", 20, "--tile", 64, "--device", "cpu"]
    words += ["--header-columns", 3, "--no-flip", "--json"]
    result = run("deblur", recorded / "blur.png", recorded / "wide.dat", output, "--checkpoint", released, *words)
    assert result.json["readouts"] == [12, 17]
    frames = list(deblur_frames(load_deblurring(released).deblurring, *scene(), [12, 17], (12, 18), 64))
    with Image.open(output) as video:
        assert (video.n_frames, video.info["duration"]) == (2, 50)
        assert np.abs(np.asarray(video.convert("RGB")).astype(int) - frames[0]).mean() < 20


def test_the_threshold_that_is_taken_is_told(
    run: Run, recorded: Path, checkpoint: Path, released: Path, tmp_path: Path
) -> None:
    blur, spikes = scene()
    grey = (blur / 255 @ [0.30, 0.59, 0.11]).mean()
    dense = spikes.dense()
    dark, none = dense.copy(), np.zeros_like(dense)
    dark[:, ::2] = 0
    for name, array in (("dark.dat", dark), ("none.dat", none)):
        write_spikes(recorded / name, SpikeStream.from_dense(array), describe=False)

    def told(name: str, network: Path) -> list[str]:
        words = ("--checkpoint", network, "--at", 14, "--exposure", 6, 21)
        result = run("deblur", recorded / "blur.png", recorded / name, tmp_path / "a.png", *words, "--overwrite")
        assert result.code == 0
        return result.err.splitlines()[:-2]  # but frames and what was written

    taken = "the spikes are taken to be of V_th {:.2g}, by the light of both; their file {}"
    look = "the network was trained on V_th {}, not on {:.2g}: look at the result"
    v_th, darker = grey / dense[6:21].mean(), grey / dark[6:21].mean()
    assert told("spikes.npz", released) == [taken.format(v_th, "says 2"), look.format("1", 2)]
    assert told("spikes.npz", checkpoint) == [taken.format(v_th, "says 2")]
    assert told("bare.dat", released) == [taken.format(v_th, "does not say")]
    assert told("dark.dat", released) == [taken.format(darker, "does not say"), look.format("1", darker)]
    assert told("dark.dat", checkpoint) == [taken.format(darker, "does not say")]
    nothing = "there are no spikes in the exposure, which would tell their threshold; their file does not say"
    assert told("none.dat", released) == [nothing]


def test_deblur_refuses_bad_input(run: Run, recorded: Path, checkpoint: Path, tmp_path: Path) -> None:
    blur, spikes, out = recorded / "blur.png", recorded / "bare.dat", tmp_path / "out"
    good = ("deblur", blur, spikes, out, "--checkpoint", checkpoint)
    before = content(recorded)
    assert_refused(run("deblur", blur, spikes, "--checkpoint", checkpoint), "OUT")
    assert_refused(run("deblur", blur, spikes, out), "--checkpoint")
    assert_refused(run(*good[:4], "--checkpoint", tmp_path / "none.pth"), "cannot read", "none.pth")
    assert_refused(run("deblur", tmp_path / "none.png", *good[2:]), "none.png does not exist")
    assert_refused(run(*good), "of its 30 readouts", "--exposure 20 117")
    assert_refused(run(*good, "--exposure", 5), "--exposure")
    assert_refused(run(*good, "--exposure", 0, 30), "give --exposure 2 28")
    assert_refused(run(*good, "--at", 28), "choose times from 2 to 27")
    assert_refused(run(*good, "--at", 2.5), "'2.5' is no whole number; give readouts as --at 20 68 116")
    assert_refused(run(*good, "--at", 9, "--frames", 2), "leave out --frames")
    assert_refused(run(*good, "--at", 9, "--exposure", 5, 31), "not in the stream, whose readouts are 0..29")
    for place in (blur, spikes, checkpoint):
        assert_refused(run("deblur", blur, spikes, place, "--checkpoint", checkpoint), f"would replace {place}")
    assert_refused(run("deblur", blur, spikes, recorded, *good[4:], "--at", 9), "no folder of deblurred frames")
    assert_refused(run(*good, "--tile", 63), "--tile")
    assert content(recorded) == before
    assert not out.exists()


def test_a_gpu_that_is_not_there(run: Run, recorded: Path, checkpoint: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    words = ("--checkpoint", checkpoint, "--at", 9, "--device", "cuda")
    result = run("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / "a.png", *words)
    assert_refused(result, "finds 0 CUDA devices here", "'cpu' or 'auto'")


def test_interrupting_the_command(
    run: Run,
    recorded: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LDN, "fuse", stop)
    for name in ("out", "a.mp4", "a.png"):
        words = ("--checkpoint", checkpoint, "--at", 9)
        result = run("deblur", recorded / "blur.png", recorded / "bare.dat", tmp_path / name, *words)
        assert (result.code, result.out) == (130, "")
        assert "Interrupted." in result.err
        assert not (tmp_path / name).exists()


def test_shown_defaults_are_those_of_the_library() -> None:
    start, stop = PLAN.exposure
    assert shown("deblur") == {
        "checkpoint": "the network that comes with spikesim",
        "exposure": f"{start} {stop} in a stream of {PLAN.stream_length} readouts",
        "frames": f"{exposure_times.FRAMES}; 1 for a .png",
        "fps": str(recordings.FPS),
        "tile": f"{deblur.TILE} for images of over {deblur.LARGE / 1e6:g} megapixels, else none",
        "device": "auto",
    }
    (tile,) = [option.type for option in command("deblur").params if option.name == "tile"]
    assert isinstance(tile, click.IntRange)
    assert tile.min == tiled_deblurring.LEAST_SIDE
