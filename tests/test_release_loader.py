"""What the loader of the S-SDM release makes of what is written for it."""

from pathlib import Path

import numpy as np
import pytest
from test_layouts import CLIP, write_clip

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.layouts import layout_to_shards, loader_notes, shards_to_layout
from spikesim_datasets.progress import Progress
from spikesim_datasets.recognition import recognise
from spikesim_datasets.shards import ShardReader, ShardWriter
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.shards.sample import Sample


def exported(root: Path, out: Path, v_th: float | None = None) -> list[str]:
    shards_to_layout(root, out, v_th)
    return loader_notes(out)


def test_what_the_loader_does_not_see_is_told(tmp_path: Path) -> None:
    write_clip(tmp_path / "data" / "test" / f"{CLIP}.000.h5", sharp="sequence")
    notes = exported(tmp_path / "data", tmp_path / "layout")
    assert len(notes) == 3
    assert "spike_data alone, not the thresholds 2, 4 beside it" in notes[0]
    assert "all images to be 1280×720, and these are 120×72" in notes[1]
    assert "both splits, and there is no train" in notes[2]


def test_other_exposures_and_missing_sharp_frames_are_told(tmp_path: Path) -> None:
    plan = ExposurePlan(frames=5, factor=8, gap=7)
    for split in ("train", "test"):
        write_clip(tmp_path / "data" / split / f"{CLIP}.000.h5", thresholds=(2,), sharp="none", plan=plan)
    size, exposure, sharp = exported(tmp_path / "data", tmp_path / "layout")
    assert "1280×720" in size
    assert "readouts 20 to 116 of 137" in exposure
    assert f"{plan.stream_length} readouts" in exposure
    assert f"missing in test/{CLIP}" in sharp


def test_a_layout_as_the_loader_wants_it_has_no_notes(tmp_path: Path) -> None:
    plan = ExposurePlan()
    for split in ("train", "test"):
        path = tmp_path / "data" / split / f"{CLIP}.000.h5"
        write_clip(path, thresholds=(1,))
        with ShardReader(path) as shard:
            recipe, sample = shard.recipe, shard.sample(0)
        path.unlink()
        with ShardWriter(path, recipe, "none") as writer:
            writer.append(
                Sample(
                    split,
                    CLIP,
                    sample.window,
                    sample.first_frame,
                    plan.exposure,
                    np.zeros((720, 1280, 3), np.uint8),
                    np.zeros((1, 720, 1280, 3), np.uint8),
                    sample.sharp_readouts,
                    {1.0: type(sample.spikes[1.0]).from_dense(np.zeros((137, 180, 320), np.uint8))},
                )
            )
    assert exported(tmp_path / "data", tmp_path / "layout") == []


def test_one_threshold_is_written_where_the_loader_reads(tmp_path: Path) -> None:
    write_clip(tmp_path / "data" / "train" / f"{CLIP}.000.h5")
    notes = exported(tmp_path / "data", tmp_path / "layout", 2)
    assert not any("alone" in note for note in notes)
    assert sorted(path.name for path in (tmp_path / "layout" / "train").iterdir()) == [
        "blur_data", "sharp_data", "spike_data",
    ]  # fmt: skip
    layout_to_shards(tmp_path / "layout", tmp_path / "again")
    (before,), (after,) = (shard_files(tmp_path / name) for name in ("data", "again"))
    with ShardReader(before) as first, ShardReader(after) as second:
        assert list(second.cameras) == [2.0]
        assert second.cameras[2.0] == first.cameras[2.0]
        for number in range(2):
            assert np.array_equal(second.spikes(number, 2.0).packed, first.spikes(number, 2.0).packed)
    with pytest.raises(InvalidValueError, match=r"no spikes of threshold 3; choose one of 1, 2, 4"):
        shards_to_layout(tmp_path / "data", tmp_path / "other", 3)
    assert not (tmp_path / "other").exists()


def test_conversions_tell_of_every_sample(tmp_path: Path) -> None:
    data, layout, told = tmp_path / "data", tmp_path / "layout", []
    for number, split in enumerate(("test", "train")):
        write_clip(data / split / f"{CLIP}.000.h5", (1, 2, 3)[number:])
    at = ["", *[f"test/{CLIP}"] * 3, *[f"train/{CLIP}"] * 2]
    expected = [Progress(done, 5, key) for done, key in enumerate(at)]
    shards_to_layout(data, layout, on_progress=told.append)
    assert told == expected
    told.clear()
    layout_to_shards(layout, tmp_path / "again", on_progress=told.append)
    assert told == expected


def test_spikes_of_full_size_alone_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "train" / "spike_full" / CLIP).mkdir(parents=True)
    with pytest.raises(InputFileError, match="holds spike_full alone, spikes of the images' own size"):
        recognise(tmp_path)
