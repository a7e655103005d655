"""The teacher asked before the first step: its images of whole samples, kept and cropped."""

import time

import pytest
import torch
import training_data
from training_data import SAMPLES, SHORT, STEPS

from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset
from ssdm_models import checkpoints
from ssdm_models.teacher import Teacher
from ssdm_models.training import train_stage
from ssdm_models.training.teacher_targets import TeacherTargets

data, taught, run = training_data.data, training_data.taught, training_data.run


def test_teacher_targets_are_what_the_teacher_makes_of_whole_samples(data, run):
    train_stage("ldn", data, run, epochs=1, v_th=(1, 2), precompute_teacher=True, **SHORT)
    denoiser, upsampler = (checkpoints.load(run / f"{stage}.safetensors") for stage in ("bsn", "sr"))
    denoiser.square = False
    teacher = Teacher(denoiser, upsampler)
    times = [20, 44, 68, 92, 116]
    teacher_targets = TeacherTargets(run / "ldn" / "teacher_targets", "train", (1, 2), crop=32, flip=True)
    whole = {v_th: SpikeBlurDataset(data, "train", v_th, sharp="none") for v_th in (1.0, 2.0)}
    seen = set()
    for seed in range(12):
        draw = SeededIndex(seed % SAMPLES, seed)
        item = teacher_targets[draw]
        seen.add(item["v_th"])
        source = whole[item["v_th"]][draw.sample]
        assert (item["key"], item["window"]) == (source["key"], source["window"])
        taught = teacher(source["blur"][None], source["spikes"][None], times, (20, 117))[0]
        assert item["sharp"].shape == (5, 3, 32, 32)
        assert _place_of(item["blur"], source["blur"]) == _place_of(item["sharp"][2], taught[2], 1 / 255)
    assert seen == {1.0, 2.0}


def _place_of(crop: torch.Tensor, image: torch.Tensor, tolerance: float = 1e-6) -> tuple[int, int, int, int]:
    """Where in an image a crop is from, and how it was mirrored."""
    _, height, width = image.shape
    for down in (1, -1):
        for across in (1, -1):
            turned = crop.flip([axis for axis, sign in ((1, down), (2, across)) if sign < 0])
            for top in range(0, height - 31, 4):
                for left in range(0, width - 31, 32):
                    if (image[:, top : top + 32, left : left + 32] - turned).abs().max() <= tolerance:
                        return top, left, down, across
    raise AssertionError("the crop is nowhere in the image")


def test_teacher_targets_are_made_once(data, run, tmp_path):
    """Of a run that is stopped while they are made, those of finished shards are kept."""
    options = {**SHORT, "precompute_teacher": True}

    def stop(progress):
        if (progress.stage, progress.steps) == ("teacher", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("ldn", data, run, epochs=1, on_step=stop, **options)
    made = sorted((run / "ldn" / "teacher_targets").rglob("*.h5"))
    assert [path.name for path in made] == ["a.000.h5"]
    before = made[0].stat().st_mtime_ns
    assert train_stage("ldn", data, run, epochs=1, **options).checkpoint is not None
    assert made[0].stat().st_mtime_ns == before
    assert len(list((run / "ldn" / "teacher_targets").rglob("*.h5"))) == 2


def test_teacher_targets_that_the_time_does_not_suffice_for(data, run, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    result = train_stage("ldn", data, run, epochs=1, max_minutes=3 / 60, **{**SHORT, "precompute_teacher": True})
    assert (result.checkpoint, result.steps, result.total) == (None, 0, STEPS)
