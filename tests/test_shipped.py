"""The network in the box: what it is, and that it deblurs scenes and thresholds that it never saw."""

import sys
from dataclasses import asdict
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
from commands import Run, assert_refused
from deblurring_data import content
from PIL import Image

from spikesim import write_spikes
from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards import Sample, open_dataset
from spikesim_datasets.sources import DemoClip
from ssdm_models import pretrained, shipped
from ssdm_models.checkpoints import read_card, save
from ssdm_models.cost import parameters
from ssdm_models.deblur import deblur_frames
from ssdm_models.multi_exposure import MultiExposure

run = commands.run

# Decibels over the blurry image. At 0.5 most of the scene fires at every readout, which tells little.
LEAST_GAINS = {0.5: 0.1, 1.0: 1.0, 2.0: 0.9, 4.0: 0.7, 8.0: 0.4}


@pytest.fixture(scope="module", params=["ssdm", "realistic"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A demo scene, which is in no training, at many thresholds."""
    root = tmp_path_factory.mktemp(request.param)
    clip = DemoClip("test", "garden", "garden", 29, 180, 320)
    build_clips([clip], root, make_recipe(tuple(LEAST_GAINS), preset=request.param), workers=1)
    return open_dataset(root, "test")[0]


def decibels(image: np.ndarray, true: np.ndarray) -> float:
    return float(-10 * np.log10(((image.astype(float) - true) ** 2).mean() / 255**2))


def test_it_deblurs_at_every_threshold(sample: Sample) -> None:
    network = pretrained()
    before = [decibels(sample.blur, true) for true in sample.sharp]
    for v_th in LEAST_GAINS:
        frames = deblur_frames(network, sample.blur, sample.spikes[v_th], sample.sharp_readouts, sample.exposure)
        after = [decibels(frame, true) for frame, true in zip(frames, sample.sharp, strict=True)]
        gains = np.subtract(after, before)
        assert gains.mean() > LEAST_GAINS[v_th], v_th
        assert gains.min() > -0.1, v_th


def test_what_it_is() -> None:
    network = pretrained()
    assert isinstance(network, MultiExposure)
    assert not network.training
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert parameters(network) < 1_000_000
    path = Path(shipped.__file__).parent / "weights" / "multi_exposure.safetensors"
    assert path.stat().st_size < 2_500_000
    card = read_card(path)
    assert (card.stage, card.v_th) == ("multi_exposure", (0.5, 8.0))


def test_the_command_takes_it_where_no_other_is_named(run: Run, sample: Sample, tmp_path: Path) -> None:
    Image.fromarray(sample.blur).save(tmp_path / "blur.png")
    write_spikes(tmp_path / "spikes.dat", sample.spikes[2.0], describe=False)
    words = ("deblur", tmp_path / "blur.png", tmp_path / "spikes.dat")
    result = run(*words, tmp_path / "out")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[0] == (
        "with the multi-exposure network that comes with spikesim; --checkpoint takes another"
    )
    frames = deblur_frames(pretrained(), sample.blur, sample.spikes[2.0], (20, 36, 52, 68, 84, 100, 116), (20, 117))
    for time, frame in zip((20, 36, 52, 68, 84, 100, 116), frames, strict=True):
        with Image.open(tmp_path / "out" / f"{time:06d}.png") as image:
            assert np.array_equal(np.asarray(image), frame)
    named = Path(shipped.__file__).parent / "weights" / "multi_exposure.safetensors"
    result = run(*words, tmp_path / "same", "--checkpoint", named)
    assert "that comes with" not in result.err
    assert content(tmp_path / "same") == content(tmp_path / "out")


def test_it_shows_every_readout(sample: Sample) -> None:
    stream = sample.spikes[1.0]
    frames = list(deblur_frames(pretrained(), sample.blur, stream, (0, 136), sample.exposure))
    assert len(frames) == 2


def test_weights_that_were_trained_again_replace_those_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "shipped.safetensors")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = MultiExposure()
    card = {"stage": "multi_exposure", "v_th": (0.5, 4.0), "data": "a", "loss": "b", "metrics": {"steps": 3.0}}
    save(tmp_path / "trained.safetensors", network, **card)
    shipped._ship(tmp_path / "trained.safetensors")
    assert (tmp_path / "shipped.safetensors").stat().st_size < 0.6 * (tmp_path / "trained.safetensors").stat().st_size
    found = asdict(read_card(tmp_path / "shipped.safetensors"))
    assert {name: found[name] for name in card} == card
    for ours, theirs in zip(pretrained().parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_a_damaged_installation_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "gone.safetensors")
    Image.new("RGB", (32, 16)).save(tmp_path / "blur.png")
    np.save(tmp_path / "spikes.npy", np.zeros((137, 4, 8), np.uint8))
    words = ("deblur", tmp_path / "blur.png", tmp_path / "spikes.npy", tmp_path / "a.png")
    assert_refused(run(*words), "gone.safetensors")


def test_the_demo_deblurs_without_torch(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikesim_datasets import scenes, sources

    monkeypatch.setattr(sources, "DemoClip", lambda *given: DemoClip(*given, 72, 120))
    monkeypatch.setattr("spikesim_cli.commands.demo._FRAMES", 29)
    monkeypatch.setattr(scenes, "SCENES", {"street": scenes.SCENES["street"]})
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("demo", "--out", tmp_path, "--workers", 1).code == 0
    with Image.open(tmp_path / "deblurred.png") as sheet:
        assert sheet.width > 4 * 120
