"""Sources: trees, folders and demo scenes give the frames they hold, and say what is wrong with them."""

import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from source_data import HEIGHT, WIDTH, everything, noise, state, write_frames, write_video

from spikesim.errors import InputFileError, InvalidValueError, LeftOutWarning
from spikesim_datasets.build import build_clips
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.sources import Clip, DemoClip, Reading, open_clips, open_gopro

# GOPRO trees


def write_gopro(root: Path, inner: str) -> Path:
    for i, scene in enumerate(["train/GOPR0372_07_00", "train/GOPR0374_11_00", "test/GOPR0384_11_00"]):
        split, name = scene.split("/")
        write_frames(root / inner.format(split=split) / name, 3, 10 * i)
    return root


@pytest.mark.parametrize("inner", ["{split}", "GOPRO_Large_all/{split}", "{split}/raw_data"])
def test_every_layout_of_gopro_gives_the_same_clips(tmp_path, inner):
    clips = open_gopro(write_gopro(tmp_path / "root", inner))
    assert [clip.key for clip in clips] == ["train/GOPR0372_07_00", "train/GOPR0374_11_00", "test/GOPR0384_11_00"]
    for i, clip in enumerate(clips):
        assert (clip.n_frames, clip.height, clip.width) == (3, HEIGHT, WIDTH)
        assert clip.source == tmp_path / "root"
        assert np.array_equal(everything(clip), [noise(10 * i + number) for number in range(3)])


def test_a_missing_gopro_says_where_it_was_looked_for_what_is_understood_and_what_runs_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputFileError) as caught:
        open_gopro(Path("GOPRO"))
    message = str(caught.value)
    for part in (
        str(tmp_path / "GOPRO"),
        "ROOT/{train,test}/SCENE/*.png",
        "ROOT/GOPRO_Large_all/{train,test}/SCENE/*.png",
        "ROOT/{train,test}/raw_data/SCENE/*.png",
        "https://seungjunnah.github.io/Datasets/gopro",
        "spikesim demo",
    ):
        assert part in message


def test_a_folder_that_is_no_gopro_tree_says_which_layouts_are(tmp_path):
    write_frames(tmp_path / "somewhere" / "scene")
    with pytest.raises(InputFileError, match=r"holds no frames of a GOPRO tree(.|\n)*raw_data"):
        open_gopro(tmp_path)


def test_the_gopro_that_lacks_the_frames_between_is_recognised(tmp_path):
    for kind in ("blur", "blur_gamma", "sharp"):
        write_frames(tmp_path / "train" / "GOPR0372_07_00" / kind)
    with pytest.raises(InputFileError, match=r"this is GOPRO_Large, which leaves out .*; GOPRO_Large_all is needed"):
        open_gopro(tmp_path)


def test_a_scene_without_frames_is_named(tmp_path):
    write_gopro(tmp_path, "{split}")
    (tmp_path / "train" / "GOPR0999").mkdir()
    with pytest.raises(InputFileError, match=r"train/GOPR0999 is a scene folder without frames"):
        open_gopro(tmp_path)


# Folders of frames


def test_what_is_no_frame_is_left_alone(tmp_path):
    names = ["7.jpg", "8.PNG", "9.bmp"]
    for name in reversed(names):
        Image.fromarray(noise(0)).save(tmp_path / name)
    (tmp_path / ".3.png").write_bytes(b"left by a file manager")
    (tmp_path / "notes.txt").write_text("no frame")
    (clip,) = open_clips([tmp_path])
    assert clip.names == tuple(names)


def test_frames_are_given_by_index(tmp_path):
    (clip,) = open_clips([write_frames(tmp_path / "walk", 5)], "test")
    assert clip.key == "test/walk"
    assert np.array_equal(list(clip.frames(1, 4)), [noise(i) for i in (1, 2, 3)])
    assert list(clip.frames(2, 2)) == []
    assert len(list(clip.frames(3, 9))) == 2


def test_reading_can_stop_early(tmp_path):
    (clip,) = open_clips([write_frames(tmp_path / "walk", 5)])
    frames = clip.frames(0, 5)
    assert np.array_equal(next(frames), noise(0))
    frames.close()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_frames_of_any_8_bit_mode_become_rgb(tmp_path, mode):
    image = Image.fromarray(noise(0)).convert(mode)
    image.save(tmp_path / "0.png", **({"transparency": b"\x00\x80"} if mode == "P" else {}))
    (frame,) = everything(*open_clips([tmp_path]))
    if mode == "RGBA":  # what is transparent is not hidden
        assert np.array_equal(frame, noise(0))
    elif mode == "P":
        palette = np.array(image.getpalette()).reshape(-1, 3)
        assert np.array_equal(frame, palette[np.asarray(image)])
    else:
        grey = np.asarray(image.convert("L"))
        assert np.array_equal(frame, np.stack([grey] * 3, axis=-1))


def half_a_png(path: Path) -> None:
    Image.fromarray(noise(0)).save(path)
    path.write_bytes(path.read_bytes()[:700])


def huge_header(path: Path) -> None:
    path.write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (lambda path: path.write_text("no image"), "is no readable image"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to("nowhere.png"), "No such file"),
        (huge_header, "is no readable image"),
        (half_a_png, "cannot be decoded"),
        (lambda path: Image.fromarray(noise(0, 20, 24)).save(path), "is 24×20, but 000000.png beside it is 28×20"),
        (lambda path: cv2.imwrite(str(path), np.uint16(noise(0)) * 257), "more than 8 bits a channel"),
        (lambda path: cv2.imwrite(str(path), np.uint16(noise(0)[..., 0]) * 257), "more than 8 bits a channel"),
    ],
    ids=["empty", "text", "folder", "dangling", "huge", "truncated", "other size", "16 bits", "16 bits grey"],
)
def test_a_bad_frame_is_named(tmp_path, plant, what):
    folder = write_frames(tmp_path / "walk", 4)
    (folder / "000002.png").unlink()
    plant(folder / "000002.png")
    with pytest.raises(InputFileError, match=rf"walk/000002\.png:? .*{what}"):
        everything(*open_clips([folder]))


def test_a_frame_that_has_changed_since_the_clip_was_opened_is_named(tmp_path):
    (clip,) = open_clips([write_frames(tmp_path / "walk", 3)])
    Image.fromarray(noise(0, 24, 24)).save(tmp_path / "walk" / "000001.png")
    with pytest.raises(InputFileError, match=r"000001\.png is 24×24, its clip is 28×20"):
        everything(clip)
    (tmp_path / "walk" / "000001.png").unlink()
    with pytest.raises(InputFileError, match=r"000001\.png: No such file"):
        everything(clip)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_frame_is_read_or_refused_and_nothing_else(damaged, suffix, data):
    path = damaged / f"0{suffix}"
    Image.fromarray(noise(0)).quantize(8).convert("P" if suffix != ".jpg" else "RGB").save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 120) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(InputFileError):
        (frame,) = everything(*open_clips([damaged]))
        assert (frame.dtype, frame.shape[2]) == (np.uint8, 3)
    path.unlink()


# Any source


def test_a_folder_of_videos_and_folders_gives_a_clip_each(tmp_path):
    write_video(tmp_path / "b.mp4")
    write_frames(tmp_path / "a", 2)
    (tmp_path / "._b.mp4").write_bytes(b"what another system keeps beside a video")
    write_frames(tmp_path / ".thumbnails", 2)
    (tmp_path / "licence").mkdir()
    (tmp_path / "licence" / "licence.txt").touch()
    clips = open_clips([tmp_path])
    assert [(clip.key, clip.n_frames) for clip in clips] == [("train/a", 2), ("train/b", 40)]
    assert [clip.source for clip in clips] == [tmp_path, tmp_path]


def test_sources_of_all_kinds_come_in_the_order_given(tmp_path, monkeypatch):
    write_video(tmp_path / "c.mp4")
    write_frames(tmp_path / "b", 2)
    clips = open_clips([tmp_path / "c.mp4", str(tmp_path / "b"), "demo:desk"], "test")
    assert [clip.key for clip in clips] == ["test/c", "test/b", "test/desk"]
    monkeypatch.chdir(tmp_path / "b")
    assert [clip.key for clip in open_clips(["."])] == ["train/b"]


def test_sources_that_would_have_one_name_are_refused(tmp_path):
    write_frames(tmp_path / "here" / "walk", 2)
    write_frames(tmp_path / "there" / "walk", 2)
    with pytest.raises(InvalidValueError, match=r"2 sources would be called 'train/walk'.*; rename all but one"):
        open_clips([tmp_path / "here", tmp_path / "there" / "walk"])


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="'train', 'test', got 'val'"):
        open_clips([write_frames(tmp_path / "walk")], "val")


def test_an_unknown_scene_is_refused_with_the_known_ones():
    with pytest.raises(InvalidValueError, match=f"no demo scene is called 'moon'; there are {', '.join(SCENES)}"):
        open_clips(["demo:moon"])


def test_a_missing_source_says_what_a_source_is(tmp_path):
    with pytest.raises(InputFileError, match=r"nothing\.mp4 does not exist; a source is .* demo:SCENE"):
        open_clips([tmp_path / "nothing.mp4"])


def test_a_folder_without_frames_or_videos_says_what_was_looked_for(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    with pytest.raises(InputFileError, match=r"holds neither frames \(\.png, .*\) nor videos \(\.mp4, .*nor folders"):
        open_clips([tmp_path])


def test_a_demo_clip_gives_the_frames_of_its_scene():
    (whole,) = open_clips(["demo:garden"])
    assert (whole.key, whole.n_frames, whole.height, whole.width) == ("train/garden", 100, 720, 1280)
    assert whole.source is None
    clip = DemoClip("train", "garden", "garden", n_frames=5, height=64, width=96)
    frames = list(clip.frames(3, 9))
    assert np.array_equal(frames, [SCENES["garden"].frame(time, 64, 96) for time in (3, 4)])


# Fingerprints


def fingerprint(path: Path) -> dict[str, object]:
    (clip,) = open_clips([path])
    return clip.fingerprint()


def test_the_same_content_elsewhere_have_the_same_fingerprint(tmp_path):
    write_frames(tmp_path / "walk", 3)
    shutil.copytree(tmp_path / "walk", tmp_path / "copy")
    os.utime(tmp_path / "copy" / "000001.png", (0, 0))
    assert fingerprint(tmp_path / "copy") == fingerprint(tmp_path / "walk")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(write_video(tmp_path / "a.mp4"), tmp_path / "elsewhere" / "a.mp4")
    assert fingerprint(tmp_path / "elsewhere" / "a.mp4") == fingerprint(tmp_path / "a.mp4")


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("place", [(0, 0), (60, 30), (99, 99)])
def test_one_other_pixel_in_a_file_of_the_same_size_gives_another_fingerprint(tmp_path, number, place):
    """Uncompressed, so that the file differs in the pixel and its checksums alone."""
    prints = []
    for folder, change in (("before", 0), ("after", 1)):
        (tmp_path / folder).mkdir()
        for i in range(6):
            frame = noise(i, 100, 120)
            frame[place] ^= change if i == number else 0
            Image.fromarray(frame).save(tmp_path / folder / f"{i}.png", compress_level=0)
        prints.append(fingerprint(tmp_path / folder))
    before, after = prints
    assert before["bytes"] == after["bytes"]
    assert before != after


def test_frames_added_or_renamed_change_the_fingerprint(tmp_path):
    folder = write_frames(tmp_path / "walk", 3)
    seen = [fingerprint(folder)]
    for number in (2, 1, 0):
        (folder / f"00000{number}.png").rename(folder / f"00000{number + 1}.png")
    seen.append(fingerprint(folder))
    shutil.copy(folder / "000003.png", folder / "000004.png")
    seen.append(fingerprint(folder))
    assert seen[0] != seen[1] != seen[2] != seen[0]


def test_demo_clips_of_another_scene_size_or_length_have_another_fingerprint():
    clips = [
        DemoClip("train", "a", "desk", 5, 64, 96),
        DemoClip("train", "a", "street", 5, 64, 96),
        DemoClip("train", "a", "desk", 6, 64, 96),
        DemoClip("train", "a", "desk", 5, 96, 64),
    ]
    seen = [clip.fingerprint() for clip in clips]
    assert all(seen.count(one) == 1 for one in seen)
    assert DemoClip("test", "b", "desk", 5, 64, 96).fingerprint() == seen[0]


# What a build does to its sources


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, list[Clip]]:
    folder = tmp_path / "sources"
    write_gopro(folder / "GOPRO", "{split}")
    write_video(folder / "a.mp4")
    return folder, [*open_gopro(folder / "GOPRO"), *open_clips([folder / "a.mp4"])]


def test_a_build_writes_nothing_into_its_sources(tmp_path, sources):
    folder, clips = sources
    before = state(folder)
    plan = ExposurePlan(frames=2, factor=2, gap=1, padding=0)
    report = build_clips(clips, tmp_path / "out", make_recipe(interpolation="linear", plan=plan), workers=1)
    assert report.samples == 3 + 20
    assert state(folder) == before


# What lies beside


@pytest.mark.parametrize("name", ["a.3gp", "a.MTS", "a.m2ts", "a.mpg", "a.mxf", "a.y4m"])
def test_videos_of_every_container_are_found_in_a_folder(tmp_path, name):
    codecs = {".3gp": "mpeg4", ".mxf": "mpeg2video", ".y4m": "wrapped_avframe", ".mpg": "mpeg2video"}
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / name, codecs.get(Path(name).suffix, "libx264"))
    assert [clip.name for clip in open_clips([tmp_path / "clips"], reading=Reading(interlacing="ignore"))] == ["a"]


def test_what_is_left_out_of_a_folder_is_told(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name)
    for name in ("notes.txt", "Thumbs.db", "desktop.ini", ".DS_Store", "._a.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    assert [clip.name for clip in open_clips([tmp_path])] == ["a", "b"]
    for name in ("c.r3d", "d.braw", "e", "f.crm"):
        (tmp_path / name).write_bytes(b"unknown")
    with pytest.warns(
        LeftOutWarning, match=r"left out what is no video .* and no folder of frames: c\.r3d, d\.braw, e, \.\.\.$"
    ):
        assert len(open_clips([tmp_path])) == 2


def test_what_is_left_out_beside_frames_and_photos_and_below_is_told(tmp_path):
    clip = write_frames(tmp_path / "all" / "clip")
    write_frames(tmp_path / "all" / "deeper" / "left")
    with pytest.warns(LeftOutWarning, match=r"all: left out what is no video .*: deeper$"):
        assert [clip.name for clip in open_clips([tmp_path / "all"])] == ["clip"]
    (clip / "000040.ppm").write_bytes(b"another")
    (clip / "small").mkdir()
    (clip / "notes.txt").touch()
    (clip / "small" / "c.png").write_bytes(b"another")
    with pytest.warns(LeftOutWarning, match=r"clip: left out what is no frame by its name: 000040\.ppm, small$"):
        open_clips([clip])
    (clip / "small" / "c.png").unlink()
    Image.new("RGB", (64, 64)).save(clip / "small" / "a.png")
    (clip / "small" / "b.heic").write_bytes(b"another")
    with pytest.warns(LeftOutWarning, match=r"small: left out what is no photo by its name: b\.heic$"):
        open_clips([f"photo:{clip / 'small'}#1"])


@pytest.mark.parametrize("prefix", ["", "photo:"])
def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path, prefix):
    write_frames(tmp_path / "clip")
    (tmp_path / "clip" / "b.mp4").symlink_to("not fetched")
    with pytest.raises(InputFileError, match=r"b\.mp4 is a link that leads nowhere; fetch what it leads to"):
        open_clips([f"{prefix}{tmp_path / 'clip'}"])
    (tmp_path / "clip" / "b.mp4").rename(tmp_path / "b.mp4")
    if not prefix:
        with pytest.raises(InputFileError, match=r"b\.mp4 is a link that leads nowhere"):
            open_clips([tmp_path])


def test_images_and_videos_in_one_folder_are_not_taken_for_one_of_them(tmp_path):
    write_video(write_frames(tmp_path / "walk") / "walk.mp4")
    with pytest.raises(InputFileError, match=r"walk holds images, as 000000\.png, and videos, as walk\.mp4; put them"):
        open_clips([tmp_path / "walk"])
