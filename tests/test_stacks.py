"""Files that hold several images: a clip each, and never one image for all."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from commands import assert_refused, run  # noqa: F401
from PIL import Image
from source_data import everything, noise, write_video

from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, page_times, read_image, read_pages
from spikesim_datasets.sources import FrameClip, Reading, StackClip, open_clips

KINDS = {".tif": {}, ".tiff": {"compression": "tiff_deflate"}, ".png": {"duration": 20},
         ".webp": {"duration": 20, "lossless": True}}  # fmt: skip


def write_stack(path: Path, count: int = 5, size: tuple[int, int] = (20, 28), **options: object) -> Path:
    first, *others = (Image.fromarray(noise(number, *size)) for number in range(count))
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=others, **(KINDS[path.suffix] | options))
    return path


@pytest.mark.parametrize("suffix", KINDS)
def test_a_stack_is_a_clip_of_all_its_images(tmp_path, suffix):
    path = write_stack(tmp_path / f"walk{suffix}")
    (clip,) = open_clips([path])
    assert isinstance(clip, StackClip)
    assert (clip.key, clip.n_frames, clip.height, clip.width) == ("train/walk", 5, 20, 28)
    assert np.array_equal(everything(clip), [noise(number) for number in range(5)])
    assert np.array_equal(list(clip.frames(3, 9)), [noise(3), noise(4)])
    assert image_header(path) == (28, 20, 1, 5)


@pytest.mark.parametrize("suffix", KINDS)
def test_one_image_is_wanted_and_there_are_more(tmp_path, suffix):
    path = write_stack(tmp_path / f"a{suffix}")
    with pytest.raises(InputFileError, match=r"a\.\w+ holds 5 images, where one is expected; give one of them"):
        read_image(path)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_folder_of_stacks_is_a_folder_of_clips(tmp_path, suffix):
    for name in ("run", "walk"):
        write_stack(tmp_path / "clips" / f"{name}{suffix}", 3)
    assert [(clip.key, clip.n_frames) for clip in open_clips([tmp_path / "clips"])] == [
        ("train/run", 3), ("train/walk", 3)
    ]  # fmt: skip


def test_images_of_webp_are_frames_like_others(tmp_path):
    (tmp_path / "walk").mkdir()
    for number, suffix in enumerate((".webp", ".png", ".webp")):
        options = {"lossless": True} if suffix == ".webp" else {}
        Image.fromarray(noise(number)).save(tmp_path / "walk" / f"{number}{suffix}", **options)
    (clip,) = open_clips([tmp_path / "walk"])
    assert np.array_equal(everything(clip), [noise(number) for number in range(3)])


@pytest.mark.parametrize("suffix", KINDS)
def test_stacks_beside_videos_are_refused(tmp_path, suffix):
    write_stack(tmp_path / "mixed" / f"run{suffix}", 3)
    write_video(tmp_path / "mixed" / "walk.mp4")
    with pytest.raises(InputFileError, match=r"holds images, as run\.\w+, and videos, as walk\.mp4; put them into"):
        open_clips([tmp_path / "mixed"])


@pytest.mark.parametrize("names", [("0.tif", "1.tif"), ("1.tif", "0.tif")])
def test_stacks_among_frames_are_refused(tmp_path, names):
    stack, frame = names
    write_stack(tmp_path / "mixed" / stack, 3)
    Image.fromarray(noise(0)).save(tmp_path / "mixed" / frame)
    with pytest.raises(InputFileError, match=r"[01]\.tif holds (one|3) images? and others beside it .*, each a clip"):
        open_clips([tmp_path / "mixed"])
    with pytest.raises(InputFileError, match=r"holds 3 images and others beside it one"):
        FrameClip.open(tmp_path / "mixed", "train", "a", tmp_path)


def test_what_a_phone_adds_behind_a_photo_is_no_frame(tmp_path):
    first, second = (Image.fromarray(noise(number, 16, 16)) for number in range(2))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95)
    assert image_header(tmp_path / "a.jpg").pages == 1
    first.save(tmp_path / "b.jpg", quality=95)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), read_image(tmp_path / "b.jpg"))


def test_an_image_shown_in_place_of_an_animation_is_none_of_its_frames(tmp_path):
    for count in (1, 5):
        path = tmp_path / f"{count}.png"
        animation = [Image.fromarray(noise(number)) for number in range(count)]
        Image.fromarray(noise(9)).save(path, save_all=True, append_images=animation, default_image=True, duration=20)
        (clip,) = open_clips([path])
        assert np.array_equal(everything(clip), [noise(number) for number in range(count)])
    assert page_times(tmp_path / "5.png") == (0, 20, 40, 60, 80)
    assert np.array_equal(read_image(tmp_path / "1.png"), noise(0))


NOTHING, EMPTY, PREVIOUS = 0, 1, 2
"""What becomes of a place when the next image comes."""
REPLACE, BLEND = 0, 1
WHOLE, PART = (0, 0, 20, 28), (3, 2, 8, 10)


def write_animation(path: Path, drawn: list[tuple[tuple[int, ...], int, int]], hidden: bool) -> list[np.ndarray]:
    """An animated PNG: places (top, left, height, width) of noise, what becomes of them, and how they are drawn.

    Returns:
        Its frames, as they are to be shown: drawn one after another on black, or on what is left of the one before.
    """
    number, frames, canvas = iter(range(99)), [], np.zeros((20, 28, 3), np.uint8)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def pixels(image: np.ndarray) -> bytes:
        return zlib.compress(b"".join(b"\0" + row.tobytes() for row in image))

    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 20, 8, 2, 0, 0, 0))
    file += chunk(b"acTL", struct.pack(">II", len(drawn), 0)) + (chunk(b"IDAT", pixels(noise(99))) if hidden else b"")
    for seed, ((top, left, height, width), becomes, how) in enumerate(drawn):
        image, place = noise(seed, height, width), np.s_[top : top + height, left : left + width]
        control = struct.pack(">IIIIIHHBB", next(number), width, height, left, top, 20, 1000, becomes, how)
        data = pixels(image)
        first = chunk(b"IDAT", data) if not seed and not hidden else b""
        file += chunk(b"fcTL", control) + (first or chunk(b"fdAT", struct.pack(">I", next(number)) + data))
        before = canvas.copy()
        canvas[place] = image
        frames.append(canvas.copy())
        if becomes == EMPTY or (becomes == PREVIOUS and not seed):
            canvas[place] = 0
        elif becomes == PREVIOUS:
            canvas = before
    path.write_bytes(file + chunk(b"IEND", b""))
    return frames


@pytest.mark.parametrize("how", [REPLACE, BLEND])
@pytest.mark.parametrize("becomes", [NOTHING, EMPTY, PREVIOUS])
@pytest.mark.parametrize(
    ("hidden", "places"),
    [
        (True, (WHOLE, PART, PART)),
        (True, (PART, WHOLE, PART)),
        (True, (WHOLE, WHOLE, WHOLE)),
        (False, (WHOLE, PART, PART)),
        (False, (WHOLE, WHOLE, WHOLE)),
    ],
)
def test_frames_of_an_animation_are_drawn_or_refused(tmp_path, hidden, places, becomes, how):
    frames = write_animation(tmp_path / "a.png", [(place, becomes, how) for place in places], hidden)
    (clip,) = open_clips([tmp_path / "a.png"])
    why = ""
    if hidden and (places[0] == PART or becomes == PREVIOUS):
        why = "an animation that begins on an image that it does not show"
    elif (becomes, how) == (PREVIOUS, BLEND):
        why = "an animation that takes images away that are blended with others"
    if not why:
        assert np.array_equal(everything(clip), frames)
        return
    for start in range(2):
        with pytest.raises(InputFileError, match=f"{why}.*; save its images whole, one a file"):
            list(clip.frames(start + 1, 3))


def test_an_animation_is_shown_in_even_steps_or_refused(tmp_path):
    even = write_stack(tmp_path / "even.png")
    assert page_times(even) == (0, 20, 40, 60, 80)
    path = write_stack(tmp_path / "a.png", duration=[20, 20, 80, 20, 20])
    assert page_times(path) == (0, 20, 40, 120, 140)
    with pytest.raises(InputFileError, match=r"a\.png does not show its images in even steps .* --timing ignore"):
        open_clips([path])
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
    assert clip.n_frames == 5
    assert page_times(write_stack(tmp_path / "a.tif")) == ()


def test_images_of_several_sizes_are_no_clip(tmp_path):
    path = tmp_path / "a.webp"
    write_stack(path)
    (clip,) = open_clips([path])
    write_stack(path, size=(24, 28))
    with pytest.raises(InputFileError, match="has images of several sizes"):
        everything(clip)


def test_a_damaged_page_is_named(tmp_path):
    path = write_stack(tmp_path / "a.tif", size=(64, 64), compression="tiff_deflate")
    (clip,) = open_clips([path])
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputFileError, match=r"a\.tif cannot be decoded"):
        everything(clip)
    with pytest.raises(InputFileError):
        list(read_pages(tmp_path / "none.tif", 0, 1))


def test_commands_take_stacks_and_photos_are_no_stacks(run, tmp_path):  # noqa: F811
    path = write_stack(tmp_path / "a.tif", 3, (64, 64))
    result = run("simulate", path, tmp_path / "a.npz", "--interp", "linear", "--json")
    assert result.code == 0, result.err
    assert result.json["shape"] == [17, 16, 16]
    assert_refused(run("build", f"photo:{path}", "--out", tmp_path / "out"), "a.tif holds 3 images; a photo is one")
