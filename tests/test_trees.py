"""Trees of folders as people have them: clips at any depth, and trees that hold none."""

from pathlib import Path

import numpy as np
import pytest
from build_data import write_frames
from commands import Run, assert_refused, run  # noqa: F401
from source_data import write_video

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.sources import open_clips, reopen
from spikesim_datasets.sources.clip import origin_of


@pytest.fixture
def x4k(tmp_path: Path) -> Path:
    """As X4K1000FPS lies: scenes in folders, and in these folders of frames; here with a video and a note beside."""
    root = tmp_path / "X4K1000FPS"
    for scene, part in (("002", "occ008.320_f6279"), ("002", "occ008.331_f1000"), ("003", "occ008.320_f6279")):
        write_frames(root / scene / part, 3, 16, 24, phase=len(part) + int(scene))
    write_video(root / "003" / "whole.mp4")
    (root / "003" / "notes.txt").write_text("1000 fps")
    return root


def test_clips_at_any_depth_are_called_by_their_paths(x4k: Path) -> None:
    clips = open_clips([x4k], pattern="*/*")
    assert [clip.key for clip in clips] == [
        "train/002/occ008.320_f6279",
        "train/002/occ008.331_f1000",
        "train/003/occ008.320_f6279",
        "train/003/whole",
    ]
    for clip in clips:
        assert clip.source == x4k
        again = reopen(origin_of(clip))  # type: ignore[arg-type]
        assert (again.key, again.fingerprint()) == (clip.key, clip.fingerprint())
        assert np.array_equal(next(again.frames(0, 1)), next(clip.frames(0, 1)))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("002/*", ["train/002/occ008.320_f6279", "train/002/occ008.331_f1000"]),
        ("**/occ008.3[3]*", ["train/002/occ008.331_f1000"]),
        ("*/*.mp4", ["train/003/whole"]),
    ],
)
def test_a_pattern_takes_what_it_matches_and_no_more(x4k: Path, pattern: str, found: list[str]) -> None:
    assert [clip.key for clip in open_clips([x4k], pattern=pattern)] == found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*/images", "no folder of frames and no video that matches '\\*/images'"),
        ("*", "matches"),
        ("*/*.txt", "matches"),
    ],
)
def test_a_pattern_that_matches_nothing_is_refused(x4k: Path, pattern: str, said: str) -> None:
    with pytest.raises(InputFileError, match=said):
        open_clips([x4k], pattern=pattern)


@pytest.mark.parametrize("pattern", ["", "/x", "..", 3])
def test_what_is_no_pattern_below_a_folder_is_refused(x4k: Path, pattern: object) -> None:
    with pytest.raises((InputFileError, InvalidValueError)):
        open_clips([x4k / "002"], pattern=pattern)  # type: ignore[arg-type]


def test_a_tree_that_is_deeper_says_how_to_take_it(x4k: Path) -> None:
    (x4k / "003" / "whole.mp4").unlink()
    with pytest.raises(
        InputFileError, match=r"lie deeper in it, as 002/occ008\.320_f6279: take them with --glob '\*/\*'"
    ):
        open_clips([x4k])
    (x4k.parent / "up").mkdir()
    x4k.rename(x4k.parent / "up" / "x4k")
    with pytest.raises(InputFileError, match=r"--glob '\*/\*/\*'"):
        open_clips([x4k.parent / "up"])


def test_a_tree_is_built_from_the_command_line(run: Run, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "BS-ERGB" / "3_TRAINING"
    for number in range(2):
        write_frames(root / f"acquisition_{number}" / "images", 29, 16, 24, phase=number)
        (root / f"acquisition_{number}" / "events").mkdir()
    words = ("build", root, "--out", tmp_path / "out", "--interp", "linear")
    assert run(*words, "--glob", "*/images").code == 0
    made = open_dataset(tmp_path / "out", "train")
    assert [sample.key for sample in made] == [f"train/acquisition_{number}/images" for number in range(2)]
    assert run("verify", tmp_path / "out").code == 0
    assert_refused(run(*words, "--glob", "*/frames"), "no folder of frames and no video that matches '*/frames'")
    assert_refused(run("build", "demo:street", "--out", tmp_path / "demo", "--glob", "*"), "--glob; leave it out")
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("below", ["", "train", "train/GOPR0372_07_00"])
@pytest.mark.parametrize("blur", ["blur", "blur_gamma"])
def test_gopro_large_is_refused_with_what_to_get(run: Run, tmp_path: Path, below: str, blur: str) -> None:  # noqa: F811
    scene = tmp_path / "GOPRO_Large" / "train" / "GOPR0372_07_00"
    for name in (blur, "sharp"):
        write_frames(scene / name, 3, 16, 24)
    source = tmp_path / "GOPRO_Large" / below
    assert_refused(run("build", source, "--out", tmp_path / "out"), "this is GOPRO_Large", "GOPRO_Large_all is needed")


@pytest.mark.parametrize("below", ["", "sequences"])
def test_vimeo_is_refused_with_the_reason(run: Run, tmp_path: Path, below: str) -> None:  # noqa: F811
    root = tmp_path / "vimeo_septuplet"
    write_frames(root / "sequences" / "00001" / "0001", 7, 16, 24)
    (root / "sep_trainlist.txt").write_text("00001/0001\n")
    assert_refused(run("build", root / below, "--out", tmp_path / "out"), "Vimeo-90K", "one window takes 29")
