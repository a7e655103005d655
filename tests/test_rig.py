"""Rigs: misalignments drawn within ranges, and datasets of misaligned pairs."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_data import PLAN, assert_whole, clip, content, recipe, write_frames
from commands import Run, assert_refused, run  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.alignment import MOST_OUTSIDE
from spikesim_datasets.build import build_clips
from spikesim_datasets.layouts import layout_to_shards, shards_to_layout, shards_to_tool
from spikesim_datasets.misalignment import Misalignment, seen, share_past, undo
from spikesim_datasets.recipe import Recipe
from spikesim_datasets.rig import RIGS, Rig
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset
from spikesim_datasets.shards import Sample, open_dataset
from ssdm_models.evaluation.evaluation_set import EvaluationSet

ALL = Rig(shift=0.01, corners=0.004, parallax=0.01, offset=3, gain=1.2, per="sample")
ASIDE = ((1.0, 0.0, 2.0), (0.0, 1.0, -1.0), (0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("rig") / "clip", 30, 72, 128)


@pytest.fixture(scope="module")
def pairs(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset of aligned pairs, and of the same windows misaligned, each with its light."""
    root = tmp_path_factory.mktemp("pairs")
    for name, rig in (("aligned", None), ("misaligned", ALL)):
        made = recipe(light=True, sharp="sequence", preset="ideal", misalign=rig)
        build_clips([clip(frames)], root / name, made, workers=1)
    return root / "aligned", root / "misaligned"


def samples(dataset: Path) -> dict[int, Sample]:
    return {sample.window: sample for sample in open_dataset(dataset, "train")}


def found(sample: Sample) -> Misalignment:
    assert sample.misalignment is not None
    return sample.misalignment


@pytest.mark.parametrize("name", RIGS)
@given(window=st.integers(0, 2**31), size=st.sampled_from([(720, 1280), (480, 640), (256, 256), (1280, 720)]))
def test_what_is_drawn_is_within_the_ranges(name: str, window: int, size: tuple[int, int]) -> None:
    height, width = size
    rig = replace(RIGS[name], per="sample")
    rig.check(height, width, "a clip")
    drawn = rig.draw("train/a", window, 3, height, width)
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]])
    moved = corners @ np.array(drawn.homography).T
    moves = moved[:, :2] / moved[:, 2:] - corners[:, :2]
    assert np.abs(moves).max() <= (rig.shift + rig.corners) * width + 1e-6
    assert abs(drawn.parallax) <= rig.parallax * width
    assert abs(drawn.offset) <= rig.offset
    assert 1 / rig.gain <= drawn.gain + 1e-9 <= rig.gain + 2e-9
    assert share_past(drawn.homography, height, width) <= MOST_OUTSIDE
    assert seen(drawn.alignment(height, width, 4), 4).mean() >= 1 - 1.5 * MOST_OUTSIDE  # in middles of blocks


def test_all_of_the_ranges_is_drawn() -> None:
    drawn = [ALL.draw("train/a", window, 3, 72, 128) for window in range(300)]
    assert {each.offset for each in drawn} == set(range(-3, 4))
    for values, most in (
        ([each.parallax / 128 for each in drawn], 0.01),
        ([np.log(each.gain) for each in drawn], np.log(1.2)),
        ([each.homography[0][2] / 128 for each in drawn], 0.014),
    ):
        assert min(values) < -0.8 * most
        assert max(values) > 0.8 * most
        assert np.mean(values) == pytest.approx(0, abs=4 * most / np.sqrt(3 * len(values)))


def test_a_key_decides_what_is_drawn() -> None:
    of_clip = replace(ALL, per="clip")
    assert of_clip.draw("train/a", 1, 3, 72, 128) == of_clip.draw("train/a", 2, 3, 72, 128)
    others = [("train/b", 1, 3), ("train/a", 1, 4)]
    for rig, more in ((of_clip, others), (ALL, [*others, ("train/a", 2, 3)])):
        first = rig.draw("train/a", 1, 3, 72, 128)
        assert first == rig.draw("train/a", 1, 3, 72, 128)
        assert all(first != rig.draw(*other, 72, 128) for other in more)


def test_the_colour_camera_sees_what_it_saw(pairs: tuple[Path, Path]) -> None:
    for aligned, misaligned in zip(*map(open_both, pairs), strict=True):
        assert misaligned.exposure == aligned.exposure
        assert np.array_equal(misaligned.blur, aligned.blur)
        assert np.array_equal(misaligned.sharp, aligned.sharp)
        assert aligned.misalignment is None
        assert misaligned.spikes[1.0].shape == aligned.spikes[1.0].shape
        assert not np.array_equal(misaligned.spikes[1.0].packed, aligned.spikes[1.0].packed)


def open_both(dataset: Path) -> list[Sample]:
    return list(open_dataset(dataset, "train"))


def test_recorded_values_undo_the_light(pairs: tuple[Path, Path]) -> None:
    """Places by the recorded map, time by the offset, light by the gain: what remains is of the interpolation."""
    aligned, misaligned = map(samples, pairs)
    for window, sample in misaligned.items():
        what, alignment = found(sample), sample.extra["alignment"]
        assert np.array_equal(alignment, what.alignment(72, 128, 4))
        visible = seen(alignment, 4)
        for readout in range(max(0, what.offset), PLAN.stream_length + min(0, what.offset)):
            light = sample.extra["light"][readout - what.offset] / 65535
            expected = aligned[window].extra["light"][readout] / 65535
            uncut = visible & (light < 0.99)
            error = np.abs(undo(light.astype(np.float32), alignment, 4) / what.gain - expected)[uncut]
            unmoved = np.abs(light - expected)[uncut]
            # Waves of some 50 pixels are sampled at every fourth: their bend times 4² over 8, twice.
            assert error.max() < 0.07
            assert error.mean() < 0.25 * unmoved.mean()


def test_an_offset_shifts_streams_exactly(frames: Path, tmp_path: Path) -> None:
    """As cut from longer streams of the same sensor, noise and all, bit by bit."""
    long = replace(PLAN, padding=PLAN.padding + 3)
    build_clips([clip(frames)], tmp_path / "long", recipe(plan=long, light=True), workers=1)
    build_clips([clip(frames)], tmp_path / "late", recipe(light=True, misalign=Rig(offset=3, per="sample")), workers=1)
    longer, late = samples(tmp_path / "long"), samples(tmp_path / "late")
    assert longer.keys() == late.keys()
    offsets = {window: found(sample).offset for window, sample in late.items()}
    assert len({*offsets.values()}) > 3
    for window, sample in late.items():
        part = slice(3 + offsets[window], 3 + offsets[window] + PLAN.stream_length)
        for v_th, stream in sample.spikes.items():
            assert np.array_equal(stream.packed, longer[window].spikes[v_th][part].packed)
        assert np.array_equal(sample.extra["light"], longer[window].extra["light"][part])


def test_windows_leave_room_for_the_offset(frames: Path, tmp_path: Path) -> None:
    tight = replace(PLAN, padding=0, gap=3)
    for offset, count in ((0, 10), (5, 8)):
        made = recipe(plan=tight, misalign=Rig(offset=offset))
        report = build_clips([clip(frames)], tmp_path / str(offset), made, workers=1)
        assert report.samples == count
    short = write_frames(tmp_path / "short", 5, 72, 128)
    build_clips([clip(short)], tmp_path / "fits", recipe(plan=tight), workers=1)
    with pytest.raises(InvalidValueError, match="no clip is long enough: one window takes 8 frames"):
        build_clips([clip(short)], tmp_path / "none", recipe(plan=tight, misalign=Rig(offset=8)), workers=1)


def test_workers_change_nothing(frames: Path, pairs: tuple[Path, Path], tmp_path: Path) -> None:
    made = recipe(light=True, sharp="sequence", preset="ideal", misalign=ALL)
    build_clips([clip(frames)], tmp_path / "two", made, workers=2)
    assert content(tmp_path / "two") == content(pairs[1])
    one, other = (samples(path) for path in (pairs[1], tmp_path / "two"))
    for window, sample in one.items():
        for name, array in sample.extra.items():
            assert np.array_equal(array, other[window].extra[name])
    assert_whole(tmp_path / "two")


def test_items_hold_crops_and_mirrors_of_the_inverse(pairs: tuple[Path, Path]) -> None:
    aligned, misaligned = (SpikeBlurDataset(path, "train", crop=64, flip=True) for path in pairs)
    for number in range(len(misaligned)):
        item: dict[str, Any] = misaligned[SeededIndex(number, number)]  # type: ignore[assignment]
        truth: dict[str, Any] = aligned[SeededIndex(number, number)]  # type: ignore[assignment]
        assert np.array_equal(item["blur"], truth["blur"])
        what = Misalignment.of_values(item["misalignment"].numpy().astype(np.float64).round(12))
        alignment = item["alignment"].numpy().transpose(1, 2, 0)
        assert alignment.shape == (16, 16, 2)
        readout = PLAN.stream_length // 2
        light, expected = item["light"][readout - what.offset].numpy(), truth["light"][readout].numpy()
        uncut = seen(alignment, 4) & (light < 65000)
        assert uncut.any()
        back = undo(light, alignment, 4) / what.gain
        assert np.abs(back - expected)[uncut].max() < 0.07 * 65535


def test_what_the_spike_camera_sees_is_scored_against_what_it_sees(pairs: tuple[Path, Path]) -> None:
    scored = EvaluationSet(pairs[1], "train")
    for number in scored.numbers:
        sample = scored.sample(number)
        still = [(i, time - found(sample).offset) for i, time in enumerate(scored.all_times)]
        shown = [(i, time) for i, time in still if 0 <= time < PLAN.stream_length]
        assert shown
        for i, time in shown:
            seen_then = sample.extra["light"][time] / 65535
            np.testing.assert_allclose(scored.truth(sample)["grey"][i, 0], seen_then, atol=1e-5)


def test_spike_zoo_gets_the_truth_of_what_the_spike_camera_sees(frames: Path, tmp_path: Path) -> None:
    build_clips([clip(frames)], tmp_path / "data", recipe(light=True, misalign=ALL), workers=1)
    shards_to_tool(tmp_path / "data", tmp_path / "zoo", "spikezoo", 1.0)
    for window, sample in samples(tmp_path / "data").items():
        readout = sum(sample.exposure) // 2 - found(sample).offset
        if 0 <= readout < PLAN.stream_length:
            grey = np.asarray(Image.open(tmp_path / f"zoo/train/gt/clip_{window:05d}.png"))[..., 0]
            assert np.abs(grey / 255 - sample.extra["light"][readout] / 65535).max() < 0.51 / 255


def test_layouts_keep_it(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    shards_to_layout(pairs[1], tmp_path / "layout", 1.0)
    layout_to_shards(tmp_path / "layout", tmp_path / "back")
    before, after = samples(pairs[1]), samples(tmp_path / "back")
    for window, sample in before.items():
        assert found(after[window]) == found(sample)
        assert np.array_equal(after[window].extra["alignment"], sample.extra["alignment"])


def test_recipes_say_it_and_are_made_again_of_what_they_say() -> None:
    assert "misalign" not in recipe().choices()
    assert recipe().watched == PLAN
    for rig in (*RIGS.values(), ALL, Rig(homography=ASIDE)):
        made = recipe(misalign=rig)
        assert Recipe.from_choices(made.choices()) == made
        assert made.watched.padding == PLAN.padding + rig.offset
    assert recipe(misalign="binocular") == recipe(misalign=RIGS["binocular"])


def test_files_of_rigs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('schema = "spikesim.rig/1"\nshift = 0.004\noffset = 2\nper = "sample"\n')
    assert Rig.of(str(file)) == Rig.load(file) == Rig(shift=0.004, offset=2, per="sample")
    file.write_text('schema = "spikesim.rig/1"\nhomography = [[1, 0, 2], [0, 1, -1], [0, 0, 1]]\n')
    assert Rig.load(file) == Rig(homography=ASIDE)
    np.savetxt(tmp_path / "H.txt", np.array(ASIDE))
    assert Rig.of(tmp_path / "H.txt") == Rig(homography=ASIDE)
    drawn = Rig.load(file).draw("train/a", 0, 0, 72, 128)
    np.testing.assert_allclose(drawn.alignment(72, 128, 4), np.broadcast_to([2, -1], (18, 32, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shift = 0.004", r'its first line must be schema = "spikesim\.rig/1"'),
        ('schema = "spikesim.rig/2"', "here it is 'spikesim.rig/2'"),
        ('schema = "spikesim.rig/1"\nshft = 0.004', "has no 'shft'; it has shift, corners"),
        ('schema = "spikesim.rig/1"\nshift = 4', "a share of the image's width from 0 to 0.03125, got 4"),
        ('schema = "spikesim.rig/1"\nshift = [', "describes no rig"),
        ('schema = "spikesim.rig/1"\nhomography = 3', "homography"),
        ("\xff", "describes no rig"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, "latin-1")
    with pytest.raises(InputFileError, match=said):
        Rig.load(file)
    file.write_bytes(b"#" * (1 << 17))
    with pytest.raises(InputFileError, match="131072 bytes"):
        Rig.load(file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shift": -0.1}, "shift is a share of the image's width"),
        ({"corners": 0.04}, "corners is a share"),
        ({"parallax": 0.04}, "parallax is a share"),
        ({"offset": -1}, "offset"),
        ({"offset": 1.5}, "offset"),
        ({"gain": 0.5}, r"gain is from 1 to 10, drawn from 1/gain to gain, got 0\.5"),
        ({"gain": float("inf")}, "gain"),
        ({"homography": np.zeros((3, 3))}, "inverse"),
        ({"per": "window"}, "per"),
    ],
)
def test_what_is_no_rig_is_refused(changes: dict[str, Any], said: str) -> None:
    assert {*changes} <= {field.name for field in fields(Rig)}
    with pytest.raises(InvalidValueError, match=said):
        Rig(**changes)


def test_what_names_no_rig_is_refused(tmp_path: Path) -> None:
    for described in ("trinocular", tmp_path / "mine.json", 3):
        with pytest.raises(InvalidValueError, match=r"a rig is beam-splitter, binocular, a \.toml file|misalign"):
            Rig.of(described)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="a rig of this version has no 'tilt'"):
        Rig.of({"tilt": 1})
    with pytest.raises(InputFileError, match="No such file"):
        Rig.of("mine.toml")


def test_a_rig_that_looks_past_the_image_is_refused(frames: Path, tmp_path: Path) -> None:
    for rig, said in (
        (Rig(homography=((1, 0, 20), (0, 1, 0), (0, 0, 1))), "and 16% by its homography alone"),
        (Rig(shift=0.02, parallax=0.02), "and 0% by its homography alone"),
        (Rig(homography=((1, 0, 0), (0, 1, 0), (0.01, 0, -0.5))), "the horizon of the homography lies in the image"),
    ):
        with pytest.raises(InvalidValueError, match=said):
            build_clips([clip(frames)], tmp_path / "out", recipe(misalign=rig), workers=1)
    assert not (tmp_path / "out").exists()


def test_misaligned_pairs_of_the_command_line(run: Run, frames: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("build", frames, "--interp", "linear", "--exposure-frames", 3, "--padding", 2, "--out")
    assert run(*words, tmp_path / "a", "--misalign", "beam-splitter", "--misalign-per", "sample").code == 0
    what = [found(sample) for sample in open_both(tmp_path / "a")]
    assert len({*what}) == len(what) > 1
    assert run("info", tmp_path / "a", "--json").json["choices"]["misalign"] == {
        **RIGS["beam-splitter"].record(),
        "per": "sample",
    }
    told = " ".join(run("info", tmp_path / "a").out.replace("│", " ").split())
    assert "misaligned for each sample: up to 0.50% of the width aside, corners 0.25%, parallax 0.00%, 2" in told
    assert run("verify", tmp_path / "a").code == 0
    np.savetxt(tmp_path / "H.txt", np.array(ASIDE))
    assert run(*words, tmp_path / "b", "--misalign", tmp_path / "H.txt").code == 0
    assert {found(sample).homography for sample in open_both(tmp_path / "b")} == {ASIDE}
    assert "a homography, and up to" in " ".join(run("info", tmp_path / "b").out.replace("│", " ").split())
    np.savetxt(tmp_path / "far.txt", np.array([[1, 0, 90.0], [0, 1, 0], [0, 0, 1]]))
    none = tmp_path / "none"
    assert_refused(
        run(*words, none, "--misalign", tmp_path / "far.txt"), "may look past the image of train/clip", "70%"
    )
    assert_refused(run(*words, none, "--misalign", "trinocular"), "a rig is beam-splitter, binocular")
    assert_refused(run(*words, none, "--misalign", tmp_path / "no.toml"), "no.toml", "No such file")
    assert_refused(run(*words, none, "--misalign-per", "clip"), "--misalign-per is of a rig")
    assert not none.exists()
