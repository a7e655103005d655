"""Sources: trees, folders, videos and demo scenes give the frames they hold, and say what is wrong with them."""

import os
import pickle
import shutil
import struct
import wave
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.sources import Clip, DemoClip, open_clips, open_gopro
from spikesim_datasets.sources.video import to_rgb

HEIGHT, WIDTH = 20, 28


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_frames(folder: Path, count: int = 3, first: int = 0) -> Path:
    """A folder with frames 000000.png, ..., frame i from seed first + i."""
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(noise(first + i)).save(folder / f"{i:06d}.png")
    return folder


def everything(clip: Clip) -> list[np.ndarray]:
    return list(clip.frames(0, clip.n_frames))


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder with its time of change and its contents."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


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


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "10.png", "100.png"],
        ["000123.png", "000123_000.png", "000123_001.png", "000123_006.png", "000124.png"],
        ["cam1_frame9.png", "cam1_frame10.png", "cam2_frame1.png"],
        ["a7.png", "a10.png", "b1.png"],
        ["7.jpg", "8.PNG", "9.bmp"],
    ],
)
def test_frames_come_in_natural_order(tmp_path, names):
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
    picture = Image.fromarray(noise(0)).convert(mode)
    picture.save(tmp_path / "0.png", **({"transparency": b"\x00\x80"} if mode == "P" else {}))
    (frame,) = everything(*open_clips([tmp_path]))
    if mode == "RGBA":  # what is transparent is not hidden
        assert np.array_equal(frame, noise(0))
    elif mode == "P":
        palette = np.array(picture.getpalette()).reshape(-1, 3)
        assert np.array_equal(frame, palette[np.asarray(picture)])
    else:
        grey = np.asarray(picture.convert("L"))
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
        (lambda path: path.write_text("no picture"), "is no readable picture"),
        (lambda path: path.mkdir(), "is no readable picture"),
        (lambda path: path.symlink_to("nowhere.png"), "is no readable picture"),
        (huge_header, "is no readable picture"),
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
    with pytest.raises(InputFileError, match=rf"walk/000002\.png .*{what}"):
        everything(*open_clips([folder]))


def test_a_frame_that_has_changed_since_the_clip_was_opened_is_named(tmp_path):
    (clip,) = open_clips([write_frames(tmp_path / "walk", 3)])
    Image.fromarray(noise(0, 24, 24)).save(tmp_path / "walk" / "000001.png")
    with pytest.raises(InputFileError, match=r"000001\.png is 24×24, its clip is 28×20"):
        everything(clip)
    (tmp_path / "walk" / "000001.png").unlink()
    with pytest.raises(InputFileError, match=r"000001\.png cannot be decoded"):
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
    contents = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        contents[data.draw(st.integers(0, min(len(contents), 120) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(contents[: data.draw(st.integers(1, len(contents)))])
    with suppress(InputFileError):
        (frame,) = everything(*open_clips([damaged]))
        assert (frame.dtype, frame.shape[2]) == (np.uint8, 3)
    path.unlink()


# Videos


def video_frame(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A moving pattern, so that frames between others are coded from both."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x + 9 * number, 3 * y + 5 * number, x + y], axis=-1).astype(np.uint8)


def write_video(
    path: Path,
    codec: str = "libx264",
    *,
    times_ms: Sequence[int] | None = None,
    size: tuple[int, int] = (48, 64),
    options: dict[str, str] | None = None,
    **container_options: str,
) -> Path:
    """40 frames, a key frame every 12, two frames between others coded from both where the codec can."""
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = 0 if codec == "ffv1" else 2
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(video_frame(number, *size), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(path: Path, target: Path, shift: int = 0, **options: str) -> Path:
    """The same packets in a new file, `shift` frames later."""
    with av.open(str(path)) as given, av.open(str(target), "w", options=options) as container:
        source = given.streams.video[0]
        stream = container.add_stream_from_template(source)
        ticks = int(shift / (source.average_rate * source.time_base))
        for packet in given.demux(source):
            if packet.dts is not None:
                packet.pts += ticks
                packet.dts += ticks
                packet.stream = stream
                container.mux(packet)
    return target


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [to_rgb(picture) for picture in container.decode(video=0)]


def odd_times() -> list[int]:
    return np.cumsum(np.random.default_rng(0).integers(5, 90, 40)).tolist()


def trimmed(path: Path) -> Path:
    """An edit list hides the first five frames, which the others are coded from."""
    whole = write_video(path.with_stem("whole"))
    return remux(whole, path, -5, use_editlist="1", avoid_negative_ts="disabled")


VIDEOS = {
    "mp4": lambda folder: write_video(folder / "a.mp4"),
    "frames before their key frame": lambda folder: write_video(folder / "a.mp4", "mpeg2video"),
    "edit list": lambda folder: trimmed(folder / "a.mp4"),
    "late start": lambda folder: remux(write_video(folder / "b.mp4"), folder / "a.mp4", 100),
    "fragments": lambda folder: write_video(folder / "a.mov", movflags="frag_keyframe+empty_moov"),
    "odd times": lambda folder: write_video(folder / "a.mkv", times_ms=odd_times()),
    "equal times": lambda folder: write_video(folder / "a.mkv", "ffv1", times_ms=[i // 2 for i in range(40)]),
    "no times of presentation": lambda folder: write_video(folder / "a.avi"),
    "no index": lambda folder: write_video(folder / "a.ts"),
    "neither": lambda folder: write_video(folder / "a.mpg", "mpeg2video"),
    "no container": lambda folder: write_video(folder / "a.h264"),
}


@pytest.mark.parametrize("make", VIDEOS.values(), ids=VIDEOS)
def test_a_video_gives_the_frames_of_sequential_decoding_wherever_reading_starts(tmp_path, make):
    path = make(tmp_path)
    frames = decoded(path)
    (clip,) = open_clips([path])
    assert (clip.n_frames, clip.height, clip.width) == (len(frames), 48, 64)
    for start in range(clip.n_frames):
        assert np.array_equal(list(clip.frames(start, start + 2)), frames[start : start + 2]), start
    assert np.array_equal(everything(clip), frames)
    assert list(clip.frames(clip.n_frames, clip.n_frames + 5)) == []


def test_the_test_videos_are_as_hard_as_they_say(tmp_path):
    """The edit list hides five frames; key frames are many; frames between others are coded after them."""
    assert len(decoded(trimmed(tmp_path / "trimmed.mp4"))) == 35
    with av.open(str(write_video(tmp_path / "a.mp4"))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert sum(packet.is_keyframe for packet in packets) >= 4
    times = [packet.pts for packet in packets]
    assert times != sorted(times)


def test_a_video_with_a_colon_in_its_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4").rename("take:1.mp4")
    (clip,) = open_clips(["take:1.mp4"])
    assert clip.key == "train/take:1"
    assert len(everything(clip)) == 40


def test_a_video_clip_travels_to_a_worker(tmp_path):
    (clip,) = open_clips([write_video(tmp_path / "a.mp4")])
    again = pickle.loads(pickle.dumps(clip))
    assert again == clip
    assert np.array_equal(everything(again), everything(clip))


def test_colours_are_rounded_and_not_darkened():
    """BT.709 in limited range, by its formulas; one colour, so that where it lies between pixels does not matter."""
    luma = np.tile(np.arange(40.0, 168.0), (96, 1))
    blue, red = np.full_like(luma, 110), np.full_like(luma, 145)
    picture = av.VideoFrame(128, 96, "yuv420p")
    for plane, values in zip(picture.planes, (luma, blue[::2, ::2], red[::2, ::2]), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = np.rint(values)
        plane.update(rows)
    picture.colorspace = av.video.reformatter.Colorspace.ITU709
    grey, u, v = 255 / 219 * (np.rint(luma) - 16), 255 / 224 * (blue - 128), 255 / 224 * (red - 128)
    exact = np.stack([grey + 1.5748 * v, grey - 0.1873 * u - 0.4681 * v, grey + 1.8556 * u], axis=-1)
    difference = (to_rgb(picture) - np.clip(exact, 0, 255))[4:-4, 4:-4]
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3
    assert np.abs(difference).max() < 2.5


def cut(path: Path, target: Path, share: float) -> Path:
    contents = path.read_bytes()
    target.write_bytes(contents[: int(len(contents) * share)])
    return target


def audio_only(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    return path


def text(path: Path) -> Path:
    path.write_text("no video")
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda folder: empty(folder / "a.mp4"), r"is empty \(0 bytes\)"),
        (lambda folder: text(folder / "a.mp4"), "cannot be read as a video"),
        (lambda folder: audio_only(folder / "a.wav"), "holds no video stream"),
        (lambda folder: cut(write_video(folder / "b.mp4"), folder / "a.mp4", 0.6), "cannot be read as a video"),
        (
            lambda folder: cut(write_video(folder / "b.mp4", movflags="faststart"), folder / "a.mp4", 0.6),
            "is cut off or damaged",
        ),
    ],
    ids=["empty", "text", "audio", "cut before its index", "cut after its index"],
)
def test_a_file_that_is_no_whole_video_is_refused_when_opened(tmp_path, plant, what):
    path = plant(tmp_path)
    with pytest.raises(InputFileError, match=rf"{path.name} {what}"):
        open_clips([path])


@pytest.mark.parametrize("seed", range(4))
def test_damage_within_a_video_is_refused_when_it_is_read(tmp_path, seed):
    path = write_video(tmp_path / "a.mp4", movflags="faststart", options={"crf": "8"})
    contents = bytearray(path.read_bytes())
    begin = contents.index(b"mdat") + 1000
    rng = np.random.default_rng(seed)
    for place in rng.integers(begin, len(contents), 20):
        contents[place] ^= rng.integers(1, 256)
    path.write_bytes(contents)
    (clip,) = open_clips([path])
    with pytest.raises(InputFileError, match=r"a\.mp4 (is damaged|cannot be decoded) at frame \d+"):
        everything(clip)


@pytest.mark.parametrize(("packet", "start"), [(39, 39), (3, 0), (3, 9)])
def test_a_frame_that_the_decoder_could_only_guess_is_refused(tmp_path, packet, start):
    """Also where it lies before the frames wanted, which are coded from it."""
    path = write_video(tmp_path / "a.mp4", movflags="faststart", options={"crf": "8"})
    with av.open(str(path)) as container:
        place, size = [(each.pos, each.size) for each in container.demux(video=0) if each.size][packet]
    contents = bytearray(path.read_bytes())
    contents[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(contents)
    assert len(decoded(path)) == 40
    (clip,) = open_clips([path])
    with pytest.raises(InputFileError, match=r"a\.mp4 is damaged at frame \d+; replace it"):
        list(clip.frames(start, max(start + 1, 9)))


@pytest.mark.footage
def test_a_key_frame_that_later_frames_look_back_beyond_is_no_start(shared):
    """Behind those of this recording FFmpeg finds pictures incomplete."""
    (clip,) = open_clips([shared / "data" / "clips" / "cockatoo.mp4"])
    assert clip.key_frames == (0, 76, 145)
    whole = list(islice(clip.frames(0, 160), 70, None))
    for start in (75, 76, 80, 144, 145, 150):
        for number, frame in enumerate(clip.frames(start, start + 4), start - 70):
            assert np.array_equal(frame, whole[number])


def test_a_video_that_has_become_shorter_since_it_was_opened_is_refused(tmp_path):
    short = write_video(tmp_path / "short.h264").read_bytes()
    (tmp_path / "a.h264").write_bytes(short + short)
    (clip,) = open_clips([tmp_path / "a.h264"])
    assert len(everything(clip)) == 80
    (tmp_path / "a.h264").write_bytes(short)
    with pytest.raises(InputFileError, match=r"a\.h264 is damaged at frame 40; replace it"):
        everything(clip)


def test_a_video_that_changes_its_size_says_at_which_frame(tmp_path):
    small, large = (write_video(tmp_path / f"{size[0]}.h264", size=size) for size in ((48, 64), (64, 96)))
    (tmp_path / "a.h264").write_bytes(small.read_bytes() + large.read_bytes())
    (clip,) = open_clips([tmp_path / "a.h264"])
    with pytest.raises(InputFileError, match=r"changes its size at frame 40, from 64×48 to 96×64"):
        everything(clip)


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
    with pytest.raises(InvalidValueError, match="train, test, got 'val'"):
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
    clip = DemoClip("train/garden", "garden", n_frames=5, height=64, width=96)
    frames = list(clip.frames(3, 9))
    assert np.array_equal(frames, [SCENES["garden"].frame(time, 64, 96) for time in (3, 4)])


# Fingerprints


def fingerprint(path: Path) -> dict[str, object]:
    (clip,) = open_clips([path])
    return clip.fingerprint()


def test_the_same_contents_elsewhere_have_the_same_fingerprint(tmp_path):
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
    (folder / "000002.png").rename(folder / "000003.png")
    seen.append(fingerprint(folder))
    shutil.copy(folder / "000003.png", folder / "000004.png")
    seen.append(fingerprint(folder))
    assert seen[0] != seen[1] != seen[2] != seen[0]


def test_demo_clips_of_another_scene_size_or_length_have_another_fingerprint():
    clips = [
        DemoClip("train/a", "desk", 5, 64, 96),
        DemoClip("train/a", "street", 5, 64, 96),
        DemoClip("train/a", "desk", 6, 64, 96),
        DemoClip("train/a", "desk", 5, 96, 64),
    ]
    seen = [clip.fingerprint() for clip in clips]
    assert all(seen.count(one) == 1 for one in seen)
    assert DemoClip("test/b", "desk", 5, 64, 96).fingerprint() == seen[0]


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
