"""Adaptation without ground truth: scenes that a network shows are sensed again by the recordings' own sensor."""

from dataclasses import replace
from pathlib import Path

import commands
import numpy as np
import pytest
import torch
import training_data
from commands import Run, assert_refused
from hypothesis import given
from hypothesis import strategies as st
from training_data import PLAN, SHORT, moving, write_moving

from spikesim import SpikeCamera, SpikeStream, simulate
from spikesim.errors import InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.optics import Optics
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.samples import SeededIndex
from spikesim_datasets.shards import ShardWriter, open_dataset
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.sources import DemoClip
from ssdm_models import checkpoints, pretrained, recorded_scenes
from ssdm_models.deblur import deblur_frames
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import StageSpec
from ssdm_models.trained_networks import load_deblurring
from ssdm_models.training import train, train_stage
from ssdm_models.training.shown_scenes import ShownScenes, optics_of, show, shown_times

OPTIONS = {**SHORT, "batch": 4, "epochs": 1, "v_th": (2.0,)}
CPU = torch.device("cpu")

run = commands.run


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings without ground truth, of thresholds 1 and 2."""
    root = tmp_path_factory.mktemp("recordings")
    write_moving(root, {"train/a": 3, "train/b": 2}, sharp=())
    return root


class Brightening(DeblurringNetwork):
    """The blurry image, brighter or darker by as much as the time is later or earlier than the first readout."""

    title = "Brightening"

    def __init__(self) -> None:
        super().__init__()
        self.rate = torch.nn.Parameter(torch.tensor(0.001))

    def prepare(self, spikes: object, time: int) -> int:
        return time

    def forward(self, blur: torch.Tensor, seen: int) -> torch.Tensor:
        return blur + self.rate * seen


def recording(exposure: tuple[int, int] = PLAN.exposure, v_th: float = 2.0) -> Sample:
    frames = moving(1, 32, 64)
    light = np.stack([Optics().light(frame) for frame in frames])
    camera = SpikeCamera.preset("realistic", v_th=v_th)
    blur = frames[slice(*exposure)].mean(0).round().astype(np.uint8)
    spikes = {v_th: simulate(light, camera, seed=1)}
    return Sample("train", "a", 1, 13, exposure, blur, np.empty((0, *blur.shape), np.uint8), (), spikes)


@given(st.integers(1, 300), st.data())
def test_times_are_dense_and_reach_all_ends(readouts: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, readouts - 1))
    stop = data.draw(st.integers(start + 1, readouts))
    times = shown_times(readouts, (start, stop))
    assert times == sorted(set(times))
    assert {0, start, stop - 1, readouts - 1} <= set(times)
    assert (times[0], times[-1]) == (0, readouts - 1)
    assert max(np.diff(times), default=0) <= 8


@pytest.mark.parametrize("exposure", [PLAN.exposure, (0, 137), (40, 41), (30, 95)])
@pytest.mark.parametrize("optics", [Optics(), Optics("area")])
def test_a_scene_is_what_the_network_shows_with_the_blurry_image_for_its_mean(
    exposure: tuple[int, int], optics: Optics
) -> None:
    given = recording(exposure)
    shown = show(given, 2.0, Brightening(), optics, CPU)
    start, stop = exposure
    assert set(shown.sharp_readouts) == {t for t in shown_times(137, exposure) if start <= t < stop}
    middle = (start + stop - 1) / 2
    for time, image in zip(shown.sharp_readouts, shown.sharp, strict=True):
        expected = (given.blur + 0.255 * (time - middle)).clip(0, 255)
        assert np.abs(image - expected).max() < 0.51, time
    light = shown.extra["light"].astype(float) / 65535
    assert light.shape == (137, 8, 16)
    for time in (0, start, 7, stop - 1, 136):
        expected = (optics.light(given.blur) + 0.001 * (time - middle)).clip(0, 1)
        assert np.abs(light[time] - expected).max() < 1.1 / 255, time
    assert shown.spikes == {2.0: given.spikes[2.0]}
    assert np.array_equal(shown.blur, given.blur)


def test_scenes_are_sensed_by_the_sensor_of_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several recordings each by its own."""
    cameras = [SpikeCamera.preset(name, v_th=2.0) for name in ("realistic", "scsim")]
    shown = show(recording(), 2.0, Brightening(), Optics(), CPU)
    for number, camera in enumerate(cameras):
        stream = shown.spikes[2.0]
        of_it = SpikeStream(stream.packed, stream.shape[2], camera)
        with ShardWriter(tmp_path / f"vth2/train/{number}.000.h5", {}, "none") as writer:
            writer.append(replace(shown, name=str(number), spikes={2.0: of_it}))
    seen = []
    monkeypatch.setattr(
        recorded_scenes,
        "simulate",
        lambda light, camera, seed: seen.append(camera) or simulate(light, camera, seed=seed),
    )
    scenes = ShownScenes(tmp_path, "train", (2.0,), 32, flip=False)
    one, again, other = (scenes[SeededIndex(0, seed)] for seed in (5, 5, 6))
    scenes[SeededIndex(1, 5)]
    assert seen == [cameras[0]] * 3 + [cameras[1]]
    assert all(
        torch.equal(value, again[name]) if isinstance(value, torch.Tensor) else value == again[name]
        for name, value in one.items()
    )
    assert not torch.equal(one["planes"], other["planes"])
    # The centred exposure of 21 readouts, in the unit of light, is as bright as the image of its time.
    for item in (one, other):
        assert item["planes"][4].mean() == pytest.approx(float(item["sharp"].mean()), rel=0.12)


def test_it_begins_with_the_network_in_the_box(recordings: Path, tmp_path: Path) -> None:
    result = train_stage("adaptation", recordings, tmp_path / "run", **OPTIONS)
    assert result.checkpoint == tmp_path / "run" / "adaptation.safetensors"
    adapted, begun = load_deblurring(result.checkpoint), dict(pretrained().named_parameters())
    assert (adapted.spec.name, adapted.v_th) == ("adaptation", (2.0,))
    changes = [(value - begun[name]).abs().max().item() for name, value in adapted.network.named_parameters()]
    assert 0 < max(changes) < 1e-3
    # It may go on from what it gave.
    again = train_stage("adaptation", recordings, tmp_path / "again", init={"adaptation": result.checkpoint}, **OPTIONS)
    assert again.checkpoint is not None


def test_scenes_are_made_once_and_training_goes_on(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**OPTIONS, "v_th": (1.0, 2.0), "epochs": 2}
    whole = train_stage("adaptation", recordings, tmp_path / "whole", **options)

    def stop_at(stage: str, steps: int):
        def stop(progress):
            if (progress.stage, progress.steps) == (stage, steps):
                raise KeyboardInterrupt

        return stop

    for stage, steps in (("scenes", 4), ("adaptation", 3)):
        with pytest.raises(KeyboardInterrupt):
            train_stage("adaptation", recordings, tmp_path / "run", on_step=stop_at(stage, steps), **options)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/adaptation/scenes").rglob("*.h5")}
    assert len(made) == 4
    result = train_stage("adaptation", recordings, tmp_path / "run", **options)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert result.steps == whole.steps == 4
    training_data.assert_same(result.checkpoint, whole.checkpoint)


@pytest.mark.long
def test_nothing_is_lost_on_a_sensor_that_no_training_has_seen(tmp_path: Path) -> None:
    clip = DemoClip("train", "garden", "garden", 29, 256, 384)
    build_clips([clip], tmp_path / "data", make_recipe((2.0,), preset="scsim", sharp="sequence"), workers=1)
    result = train_stage(
        "adaptation",
        tmp_path / "data",
        tmp_path / "run",
        v_th=(2.0,),
        crop=128,
        epochs=40,
        batch=1,
        workers=0,
        device="cpu",
    )
    (sample,) = open_dataset(tmp_path / "data", "train")

    def decibels(network: torch.nn.Module) -> float:
        frames = deblur_frames(network, sample.blur, sample.spikes[2.0], sample.sharp_readouts, sample.exposure)
        squared = [((frame - true.astype(float)) ** 2).mean() for frame, true in zip(frames, sample.sharp, strict=True)]
        return float(np.mean(-10 * np.log10(np.array(squared) / 255**2)))

    assert decibels(load_deblurring(result.checkpoint).deblurring) > decibels(pretrained()) - 0.02


def test_a_sensor_that_is_not_known_is_asked_for(tmp_path: Path, recordings: Path) -> None:
    sample = recording()
    stream = sample.spikes[2.0]
    with ShardWriter(tmp_path / "data/train/a.000.h5", {}, "none") as writer:
        writer.append(replace(sample, spikes={2.0: SpikeStream(stream.packed, stream.shape[2], None)}))
    with pytest.raises(InvalidValueError, match=r"a\.000\.h5 does not say which sensor its spikes are from.*--preset"):
        train_stage("adaptation", tmp_path / "data", tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_light_comes_to_the_sensor_as_the_dataset_says(tmp_path: Path, recordings: Path) -> None:
    clip = DemoClip("train", "desk", "desk", 29, 64, 96)
    build_clips([clip], tmp_path, make_recipe((2.0,), downscale="area", linear_light=True), workers=1)
    assert optics_of(open_dataset(tmp_path, "train")) == Optics("area", "gamma2.2")
    assert optics_of(open_dataset(recordings, "train")) == Optics()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"teachers": ("bsn",), "make_teacher": lambda bsn: bsn},
            "has neither teachers nor ground truth, and draws no",
        ),
        ({"needs_ground_truth": True}, "has neither teachers nor ground truth"),
        ({"draws_sensors": True}, "has neither teachers nor ground truth"),
        ({"network": STAGES["bsn"].network, "task": "denoising"}, "only a network that deblurs can be adapted"),
        ({"adapts": 3}, "adapts must be a str, got int"),
    ],
)
def test_declarations_without_a_meaning(changes: dict[str, object], message: str) -> None:
    spec: StageSpec = STAGES["adaptation"]
    with pytest.raises(InvalidValueError, match=message):
        replace(spec, **changes)


def test_the_command_begins_with_what_it_is_given(run: Run, recordings: Path, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "own.safetensors", pretrained(), v_th=(1.0,))
    assert checkpoints.read_card(tmp_path / "own.safetensors").stage == "multi_exposure"
    words = ("train-ssdm", "--data", recordings, "--out", tmp_path / "run", "--stage", "adaptation", "--vth", 1, 2)
    words += ("--crop", 32, "--epochs", 1, "--workers", 0, "--device", "cpu")
    result = run(*words, "--init", tmp_path / "own.safetensors")
    assert result.code == 0, result.err
    assert (tmp_path / "run/adaptation.safetensors").exists()
    # That is another training than the one which begins with the network in the box.
    assert_refused(run(*words), "holds another training of the stage adaptation (other networks: init")
    train(recordings, tmp_path / "other", ["bsn"], epochs=1, **SHORT)
    wrong = run(*words[:4], tmp_path / "new", *words[5:], "--init", tmp_path / "other/bsn.safetensors")
    assert_refused(wrong, "is of the stage bsn, which --stage adaptation does not train")
