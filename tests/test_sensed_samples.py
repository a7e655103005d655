"""Samples seen by sensors that are drawn: whatever is done to a scene is done to all of it."""

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from remote_data import serving
from torch.nn import functional
from training_data import PLAN, SHARP, losses, write_moving

from spikesim import SpikeCamera, simulate
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.optics import Optics
from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE
from spikesim_datasets.samples import SeededIndex
from spikesim_datasets.shards import ShardWriter, open_dataset
from spikesim_datasets.shards.index import write_index
from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints, recorded_scenes, sensed_samples
from ssdm_models.exposure_spans import PLANES
from ssdm_models.intensity import luma
from ssdm_models.sensed_samples import SensedSamples
from ssdm_models.training import train_stage

SPAN = (0.5, 8.0)


def write_lit(root: Path, frames: np.ndarray, window: int = 1, exposure: tuple[int, int] = PLAN.exposure) -> Path:
    """A dataset of one sample of frames uint8 (T, H, W, 3), with the light on them."""
    light = np.stack([Optics("area").light(frame) for frame in frames])
    start, stop = exposure
    with ShardWriter(root / "train" / "a.000.h5", {"choices": {"plan": asdict(PLAN), "of": window}}, "none") as writer:
        writer.append(
            Sample(
                "train", "a", window, 13, exposure,
                frames[start:stop].mean(0).round().astype(np.uint8), frames[list(SHARP)], SHARP,
                {1.0: simulate(light, SpikeCamera.preset("ideal"), seed=1)},
                {"light": np.rint(light * 65535).astype(np.uint16)},
            )
        )  # fmt: skip
    return root


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coloured image that does not move, 96×128, smooth enough for its spikes."""
    rng = np.random.default_rng(3)
    small = torch.from_numpy(rng.uniform(40, 200, (1, 3, 7, 9)).astype(np.float32))
    image = functional.interpolate(small, (96, 128), mode="bicubic").clamp(0, 255)[0].permute(1, 2, 0)
    frames = np.broadcast_to(image.numpy().astype(np.uint8), (PLAN.stream_length, 96, 128, 3))
    return write_lit(tmp_path_factory.mktemp("still"), frames)


@pytest.fixture(scope="module")
def brightening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of one grey that grows evenly with time: how bright an image is tells its time."""
    greys = np.linspace(40, 220, PLAN.stream_length).astype(np.uint8)
    frames = np.broadcast_to(greys[:, None, None, None], (PLAN.stream_length, 64, 96, 3))
    return write_lit(tmp_path_factory.mktemp("brightening"), frames)


@pytest.fixture
def undamaged(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_JPEG", "_NOISE", "_SHIFTED", "_GIVEN_SCALE"):
        monkeypatch.setattr(sensed_samples, name, 0.0)


def test_samples_elsewhere_are_those_of_the_folder(
    still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec", reason="fsspec is an extra")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    copy = Path(shutil.copytree(still, tmp_path / "served" / "set"))
    write_index(copy, {"choices": {}})
    with serving(copy.parent) as web:
        there, here = (SensedSamples(place, "train", (0.5, 2), 64) for place in (f"{web.address}/set", still))
        assert (there.fingerprint, len(there)) == (here.fingerprint, len(here))
        for number in range(len(here)):
            found, expected = (samples[SeededIndex(number, number)] for samples in (there, here))
            assert all(torch.equal(found[name], expected[name]) for name in ("blur", "planes", "sharp"))
        with pytest.raises(InputFileError, match=r"cannot read .*/dataset\.json: there is nothing at this address"):
            SensedSamples(web.address, "train", (0.5, 2), 64)  # a folder of datasets, which servers need not list


def test_all_of_a_scene_is_mirrored_turned_and_darkened_together(still: Path, undamaged: None) -> None:
    samples = SensedSamples(still, "train", (0.5, 2), 64)
    turned = []
    for seed in range(24):
        item = samples[SeededIndex(0, seed)]
        assert item["blur"].shape == item["sharp"].shape == (3, 64, 64)
        assert item["planes"].shape == (PLANES, 16, 16)
        assert (item["blur"] - item["sharp"]).abs().max() < 1.01 / 255
        grey = functional.avg_pool2d(luma(item["blur"])[None], 4)[0, 0]
        long = item["planes"][21]
        flat = torch.corrcoef(torch.stack([grey.flatten(), long.flatten()]))[0, 1]
        assert flat > 0.94, seed
        assert abs(long.mean() / grey.mean() - 1) < 0.05
        turned.append(float(grey[0, 0]))
    assert len({round(value, 3) for value in turned}) > 12


def test_the_planes_are_of_the_time_of_the_sharp_image(brightening: Path, undamaged: None) -> None:
    samples = SensedSamples(brightening, "train", (1.0, 1.5), 64)
    times, backwards = set(), set()
    for seed in range(30):
        item = samples[SeededIndex(0, seed)]
        sharp, planes = float(item["sharp"].mean()), item["planes"].mean((1, 2))
        assert abs(float(planes[3]) - sharp) < 0.025, seed
        before, after, until, since = planes[[14, 20, 22, 23]].tolist()
        assert (until > since) == (before > after), seed
        times.add(round(sharp, 2))
        backwards.add(before > after)
    assert len(times) > 5
    assert backwards == {True, False}


def test_seeds_decide_everything(still: Path) -> None:
    samples, again = (SensedSamples(still, "train", SPAN, 32) for _ in range(2))
    for seed in range(6):
        one, other = samples[SeededIndex(0, seed)], again[SeededIndex(0, seed)]
        for name, value in one.items():
            assert torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
    first, second = (samples[SeededIndex(0, seed)]["planes"] for seed in (1, 2))
    assert not torch.equal(first, second)


def test_thresholds_and_sensors_are_drawn_from_all(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        recorded_scenes, "simulate", lambda light, camera, seed: seen.append(camera) or simulate(light, camera)
    )
    samples = SensedSamples(still, "train", SPAN, 32)
    drawn = [samples[SeededIndex(0, seed)]["v_th"] for seed in range(80)]
    assert [camera.v_th for camera in seen] == drawn
    assert min(drawn) >= 0.5
    assert max(drawn) <= 8.0
    logarithms = np.log2(drawn)
    assert [((logarithms >= low) & (logarithms < low + 1)).sum() > 8 for low in (-1, 0, 1, 2)] == [True] * 4
    noises = {camera.noise for camera in seen}
    for preset in ("ssdm", "realistic"):
        assert SpikeCamera.preset(preset).noise in noises
    assert len(noises) > 4


def test_damage_changes_the_blurry_image_alone(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_JPEG", "_NOISE", "_SHIFTED", "_DARKER"):
        monkeypatch.setattr(sensed_samples, name, 0.0)
    plain = [SensedSamples(still, "train", SPAN, 64)[SeededIndex(0, seed)] for seed in range(8)]
    for name, least in (("_JPEG", 0.2), ("_NOISE", 0.02)):
        with monkeypatch.context() as changed:
            changed.setattr(sensed_samples, name, 1.0)
            damaged = [SensedSamples(still, "train", SPAN, 64)[SeededIndex(0, seed)] for seed in range(8)]
        differences = [
            (one["blur"] - other["blur"]).abs().mean() * 255 for one, other in zip(plain, damaged, strict=True)
        ]
        assert max(differences) > least, name
        assert max(differences) < 8
        assert all(torch.equal(one["sharp"], other["sharp"]) for one, other in zip(plain, damaged, strict=True))


def test_datasets_of_other_exposures_are_one(tmp_path: Path) -> None:
    frames = np.full((PLAN.stream_length, 32, 64, 3), 90, np.uint8)
    write_lit(tmp_path / "long", frames, window=4, exposure=(20, 117))
    write_lit(tmp_path / "short", frames, window=7, exposure=(60, 73))
    samples = SensedSamples(tmp_path, "train", SPAN, 32)
    parts = [open_dataset(tmp_path / name, "train") for name in ("long", "short")]
    assert samples.fingerprint == "+".join(part.fingerprint for part in parts)
    # The images have room for two crops.
    assert [samples[SeededIndex(number, 5)]["window"] for number in range(len(samples))] == [4, 4, 7, 7]


def test_a_sample_counts_as_often_as_crops_have_its_area(tmp_path: Path) -> None:
    for name, size in (("large", (64, 160)), ("small", (32, 32))):
        write_lit(tmp_path / name, np.full((PLAN.stream_length, *size, 3), 90, np.uint8))
    assert open_dataset(tmp_path / "large", "train").image_sizes == [(64, 160)]
    assert [len(SensedSamples(tmp_path / name, "train", SPAN, 32)) for name in ("large", "small")] == [10, 1]
    assert len(SensedSamples(tmp_path, "train", SPAN, 32)) == 11


def test_a_stage_learns_from_them(still: Path, tmp_path: Path) -> None:
    result = train_stage(
        "multi_exposure", still, tmp_path, epochs=20, crop=32, batch=4, workers=0, device="cpu", ema=0.0, v_th=(1, 2)
    )
    assert result.steps == 60
    fallen = losses(tmp_path, "multi_exposure")
    assert np.mean(fallen[-20:]) < np.mean(fallen[:10]) - 0.02
    card = checkpoints.read_card(result.checkpoint)
    assert (card.architecture, card.v_th, card.loss) == ("MultiExposure", (1, 2), "charbonnier + psnr")


def test_what_cannot_be_trained_on_is_refused(still: Path, tmp_path: Path) -> None:
    write_moving(tmp_path / "dark", {"train/a": 1})
    with pytest.raises(InvalidValueError, match=r"has no light in every shard.*build it with --light --sharp sequence"):
        SensedSamples(tmp_path / "dark", "train", SPAN, 32)
    with pytest.raises(InputFileError, match="there is no dataset at"):
        SensedSamples(tmp_path / "nowhere", "train", SPAN, 32)
    with pytest.raises(InvalidValueError, match="has no samples of the split 'test'"):
        SensedSamples(still, "test", SPAN, 32)
    with pytest.raises(InvalidValueError, match="crop must be a positive multiple of 32"):
        SensedSamples(still, "train", SPAN, 40)
    with pytest.raises(InvalidValueError, match="sensors need at least one threshold v_th, got none"):
        SensedSamples(still, "train", (), 32)
    with pytest.raises(InvalidValueError, match="each of v_th"):
        SensedSamples(still, "train", (0.0, 2.0), 32)
