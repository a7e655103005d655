"""Scene cuts and motion too fast to follow: what is found, what is left out, and what is said of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from spikesim.errors import InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.continuity import CUT, FAST, Continuity, unexplained
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.keys import Keyed
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import open_clips
from spikesim_datasets.sources.clip import Split

PLAN = ExposurePlan(frames=3, factor=4, gap=3, padding=2)  # 13 readouts from raw frame 3k − 1/2 to 3k + 5/2


def texture(seed: int, height: int = 200, width: int = 400) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class SplicedClip:
    """A slow pan over one texture after the other; `cuts` are the frames that begin another."""

    cuts: tuple[int, ...] = ()
    n_frames: int = 26
    split: Split = "train"
    name: str = "spliced"
    height: int = 72
    width: int = 120
    source: Path | None = None

    key = Keyed.key

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for number in range(start, min(stop, self.n_frames)):
            scene = texture(sum(number >= cut for cut in self.cuts))
            yield scene[10 : 10 + self.height, number : number + self.width]

    def fingerprint(self) -> dict[str, object]:
        return {"cuts": list(self.cuts)}


def found(clip: SplicedClip) -> Diagnostics:
    diagnostics = Diagnostics()
    continuity = Continuity(diagnostics)
    for number, frame in enumerate(clip.frames(0, clip.n_frames)):
        continuity.look(number, frame)
    return diagnostics


@pytest.mark.parametrize("scene", SCENES)
def test_neighbouring_frames_of_a_scene_continue_each_other(scene: str) -> None:
    (clip,) = open_clips([f"demo:{scene}"])
    frames = list(clip.frames(0, 5))
    assert max(unexplained(*frames[i : i + 2]) for i in range(4)) < FAST


def test_frames_of_different_scenes_do_not() -> None:
    first = {scene: next(open_clips([f"demo:{scene}"])[0].frames(0, 1)) for scene in SCENES}
    parts = [unexplained(first[a], first[b]) for a in SCENES for b in SCENES if a != b]
    assert min(parts) >= CUT


def test_a_fade_of_intensity_is_no_cut() -> None:
    frame = texture(0)
    darker = (frame * np.float32(0.9)).astype(np.uint8)
    assert unexplained(frame, darker) < FAST
    flat = np.full_like(frame, 200)
    assert unexplained(flat, flat // 2) == 0


def test_motion_that_leaves_nothing_in_place_is_too_fast() -> None:
    wide = texture(0, 200, 3000)
    slow, fast = (unexplained(wide[:, :400], wide[:, shift : shift + 400]) for shift in (3, 130))
    assert slow < FAST <= fast


def test_a_cut_is_found_where_it_is() -> None:
    diagnostics = found(SplicedClip(cuts=(7, 20)))
    assert (diagnostics.cuts, diagnostics.fast, diagnostics.left_out) == ([7, 20], [], [])


def test_frames_that_are_no_neighbours_are_not_compared() -> None:
    diagnostics = Diagnostics()
    continuity = Continuity(diagnostics)
    continuity.look(0, texture(0))
    continuity.look(2, texture(1))
    assert diagnostics == Diagnostics()


@pytest.mark.parametrize(
    ("first", "last", "within"), [(4.0, 6.0, False), (4.0, 6.5, True), (6.5, 9.0, True), (7.0, 9.0, False)]
)
def test_a_window_is_across_a_cut_if_it_needs_a_frame_between(first: float, last: float, within: bool) -> None:
    assert Diagnostics(cuts=[7]).cut_within(first, last) is within


@pytest.fixture(scope="module")
def clip() -> SplicedClip:
    return SplicedClip(cuts=(11,))


def recipe(**choices: object) -> Recipe:
    return make_recipe((1, 2), plan=PLAN, interpolation="linear", shard_samples=2, **choices)


def windows(out: Path) -> list[int]:
    return [sample.window for sample in open_dataset(out, "train")]


def test_windows_across_a_cut_are_skipped_and_the_others_are_the_same(tmp_path: Path, clip: SplicedClip) -> None:
    kept, skipped = (build_clips([clip], tmp_path / cuts, recipe(cuts=cuts), workers=1) for cuts in ("keep", "skip"))
    assert kept.diagnostics == {clip.key: Diagnostics(cuts=[11])}
    # Frame 10½ lies in the streams of window 3, frames 8½ to 11½, alone.
    assert skipped.diagnostics == {clip.key: Diagnostics(cuts=[11], left_out=[3])}
    assert windows(tmp_path / "keep") == [1, 2, 3, 4, 5, 6, 7]
    assert windows(tmp_path / "skip") == [1, 2, 4, 5, 6, 7]
    assert (kept.samples, skipped.samples) == (7, 6)
    by_window = {sample.window: sample for sample in open_dataset(tmp_path / "keep", "train")}
    for sample in open_dataset(tmp_path / "skip", "train"):
        other = by_window[sample.window]
        assert np.array_equal(sample.blur, other.blur)
        for v_th in (1, 2):
            assert np.array_equal(sample.spikes[v_th].packed, other.spikes[v_th].packed)


def test_a_shard_keeps_what_was_found_and_is_not_built_again(tmp_path: Path, clip: SplicedClip) -> None:
    first = build_clips([clip], tmp_path, recipe(cuts="skip"), workers=1)
    again = build_clips([clip], tmp_path, recipe(cuts="skip"), workers=1)
    assert (first.built, first.kept, again.built, again.kept) == (4, 0, 0, 4)
    assert again.diagnostics == first.diagnostics
    assert again.samples == first.samples
    with ShardReader(tmp_path / "train/spliced.001.h5") as shard:
        assert (shard.windows, shard.diagnostics) == ((4,), Diagnostics(cuts=[11], left_out=[3]))


def test_a_shard_of_cuts_alone_is_left_out(tmp_path: Path) -> None:
    clip = SplicedClip(cuts=(5, 8))
    for _ in range(2):
        report = build_clips([clip], tmp_path, recipe(cuts="skip"), workers=1)
        assert report.diagnostics == {clip.key: Diagnostics(cuts=[5, 8], left_out=[1, 2])}
        assert windows(tmp_path) == [3, 4, 5, 6, 7]
    assert [path.name for path in shard_files(tmp_path)] == [f"spliced.00{part}.h5" for part in (1, 2, 3)]


def test_several_workers_find_the_same(tmp_path: Path, clip: SplicedClip) -> None:
    one, two = (build_clips([clip], tmp_path / str(n), recipe(cuts="skip"), workers=n) for n in (1, 2))
    assert one.diagnostics == two.diagnostics == {clip.key: Diagnostics(cuts=[11], left_out=[3])}


def test_a_dense_source_is_compared_a_frame_time_apart(tmp_path: Path) -> None:
    clip = SplicedClip(cuts=(40,), n_frames=26 * 4)
    report = build_clips(
        [clip], tmp_path, make_recipe(plan=PLAN, interpolation="none", cuts="skip", shard_samples=8), workers=1
    )
    assert report.diagnostics == {clip.key: Diagnostics(cuts=[10], left_out=[3])}


def test_another_word_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="cuts must be one of 'keep', 'skip', got 'drop'"):
        recipe(cuts="drop")


@pytest.mark.recordings
def test_a_bird_that_flies_off_is_too_fast(shared: Path) -> None:
    (clip,) = open_clips([shared / "data" / "clips" / "cockatoo.mp4"])
    diagnostics = Diagnostics()
    continuity = Continuity(diagnostics)
    for number, frame in enumerate(clip.frames(0, clip.n_frames)):
        continuity.look(number, frame)
    assert diagnostics == Diagnostics(fast=[157, 158, 159])
