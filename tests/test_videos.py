"""Videos: the frames of sequential decoding from any start, in exact colours, and damage is told."""

import gc
import pickle
import wave
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition
from commands import assert_refused, run  # noqa: F401
from PIL import Image
from source_data import everything, video_frame, write_video

from spikesim.errors import InputFileError
from spikesim_datasets.sources import Reading, open_clips
from spikesim_datasets.videos import index_video, to_rgb
from spikesim_datasets.videos.containers import choose_stream, is_video, video_streams
from spikesim_datasets.videos.cut_off import missing_bytes


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
        return [to_rgb(image) for image in container.decode(video=0)]


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
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
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
    image = av.VideoFrame(128, 96, "yuv420p")
    for plane, values in zip(image.planes, (luma, blue[::2, ::2], red[::2, ::2]), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = np.rint(values)
        plane.update(rows)
    image.colorspace = av.video.reformatter.Colorspace.ITU709
    grey, u, v = 255 / 219 * (np.rint(luma) - 16), 255 / 224 * (blue - 128), 255 / 224 * (red - 128)
    exact = np.stack([grey + 1.5748 * v, grey - 0.1873 * u - 0.4681 * v, grey + 1.8556 * u], axis=-1)
    difference = (to_rgb(image) - np.clip(exact, 0, 255))[4:-4, 4:-4]
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3
    assert np.abs(difference).max() < 2.5


def cut(path: Path, target: Path, share: float) -> Path:
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
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


def cover_only(path: Path) -> Path:
    """A song with the image of its record."""
    with av.open(str(path), "w") as container:
        cover, sound = container.add_stream("mjpeg", rate=1), container.add_stream("aac", rate=8000)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(video_frame(0, 32, 32), format="rgb24")))
        container.mux([*sound.encode(silence()), *cover.encode(), *sound.encode()])
    return path


def song(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        container.mux([*sound.encode(silence()), *sound.encode()])
    return path


def silence() -> av.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
    frame.sample_rate = 8000
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame


def web_page(path: Path) -> Path:
    path.write_text("<!DOCTYPE html>\n<html><title>404</title></html>")
    return path


def pointer(path: Path) -> Path:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n")
    return path


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda folder: empty(folder / "a.mp4"), r"is empty \(0 bytes\)"),
        (lambda folder: text(folder / "a.mp4"), r"cannot be read as a video \(.*\) \(it is text\)$"),
        (lambda folder: web_page(folder / "a.mp4"), r"cannot be read as a video \(.*\) \(it is a web page\)$"),
        (lambda folder: pointer(folder / "a.mp4"), "cannot be .* pointer of Git LFS; `git lfs pull` fetches the file"),
        (lambda folder: audio_only(folder / "a.wav"), "cannot be read as a video"),
        (lambda folder: song(folder / "a.mp4"), "holds no video stream$"),
        (lambda folder: cover_only(folder / "a.mp4"), "holds no video stream, only 1 cover image$"),
        (lambda folder: cut(write_video(folder / "b.mkv"), folder / "a.mkv", 0.6), r"is cut off: it lacks \d+ bytes"),
        (lambda folder: cut(write_video(folder / "b.webm", "vp9"), folder / "a.webm", 0.9), "is cut off: it lacks"),
        (lambda folder: cut(write_video(folder / "b.mp4"), folder / "a.mp4", 0.6), "cannot be read as a video"),
        (
            lambda folder: cut(write_video(folder / "b.mp4", movflags="faststart"), folder / "a.mp4", 0.6),
            "is cut off or damaged",
        ),
    ],
    ids=[
        "empty",
        "text",
        "web page",
        "pointer",
        "audio",
        "audio in a container of video",
        "cover",
        "cut mkv",
        "cut webm",
        "cut before its index",
        "cut after its index",
    ],
)
def test_a_file_that_is_no_whole_video_is_refused_when_opened(tmp_path, plant, what):
    path = plant(tmp_path)
    with pytest.raises(InputFileError, match=rf"{path.name} {what}"):
        open_clips([path])


def test_a_matroska_file_lacks_as_many_bytes_as_were_cut(tmp_path):
    whole = write_video(tmp_path / "whole.mkv")
    assert missing_bytes(whole) == 0
    for left in (1, 100, 1000):
        (tmp_path / "a.mkv").write_bytes(whole.read_bytes()[:-left])
        assert missing_bytes(tmp_path / "a.mkv") == left


def test_a_live_recording_promises_no_size_and_is_read(tmp_path):
    path = write_video(tmp_path / "a.mkv", live="1")
    assert missing_bytes(path) == 0
    assert len(everything(*open_clips([path]))) == 40


@pytest.mark.parametrize(
    "content", [b"", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x00", b"\x1a\x45\xdf\xa3\x80\x18\x53"]
)
def test_what_is_no_matroska_file_promises_nothing(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert missing_bytes(tmp_path / "a") == 0


def y4m(path: Path, frame_line: bytes = b"FRAME\n") -> Path:
    """5 frames of 8×4 and 12 bytes of chroma."""
    path.write_bytes(b"YUV4MPEG2 W8 H4 F30:1 Ip C420jpeg\n" + 5 * (frame_line + bytes(range(48))))
    return path


@pytest.mark.parametrize("line", [b"FRAME\n", b"FRAME Xtime=1\n"])
def test_a_y4m_file_lacks_what_its_last_frame_promises(tmp_path, line):
    content = y4m(tmp_path / "a.y4m", line).read_bytes()
    frame = len(line) + 48
    for left in range(2 * frame):
        (tmp_path / "a.y4m").write_bytes(content[: len(content) - left])
        missing = missing_bytes(tmp_path / "a.y4m")
        if left % frame <= 48:  # nothing tells how long its line is when that is cut
            assert missing == left % frame
        else:
            assert missing > 0
    with pytest.raises(InputFileError, match="is cut off: it lacks"):
        open_clips([tmp_path / "a.y4m"])


def test_a_live_recording_lacks_what_its_last_part_promises(tmp_path):
    content = write_video(tmp_path / "a.mkv", live="1").read_bytes()
    for left in (1, 50, 100):
        (tmp_path / "a.mkv").write_bytes(content[:-left])
        assert missing_bytes(tmp_path / "a.mkv") == left
        with pytest.raises(InputFileError, match="is cut off: it lacks"):
            open_clips([tmp_path / "a.mkv"])


def element(identity: bytes, content: bytes, known: bool = True) -> bytes:
    return identity + (bytes([0x80 + len(content)]) if known else b"\xff") + content


def test_parts_of_unknown_size_are_as_long_as_what_they_hold(tmp_path):
    block = element(b"\xa3", bytes(range(1, 21)))
    clusters = [element(b"\x1f\x43\xb6\x75", 3 * block, known) for known in (False, True, False)]
    content = element(b"\x1a\x45\xdf\xa3", b"") + element(b"\x18\x53\x80\x67", b"".join(clusters), False)
    ends = {len(content) - left for left in (0, *range(0, 3 * len(block) + 1, len(block)))}  # of the last blocks
    for length in range(len(content) - 3 * len(block), len(content) + 1):
        (tmp_path / "a").write_bytes(content[:length])
        assert (missing_bytes(tmp_path / "a") == 0) == (length in ends), length


def test_a_program_stream_lacks_what_its_last_packet_promises(tmp_path):
    content = write_video(tmp_path / "a.mpg", "mpeg2video").read_bytes()
    for end in (b"", b"\x00\x00\x01\xb9"):  # which not all files have
        (tmp_path / "a.mpg").write_bytes(content + end)
        assert missing_bytes(tmp_path / "a.mpg") == 0
    assert content.rfind(b"\x00\x00\x01\xbe") < len(content) - 50  # the last packet is one of padding
    for left in (1, 50, 500):
        (tmp_path / "a.mpg").write_bytes(content[:-left])
        missing = missing_bytes(tmp_path / "a.mpg")
        assert missing == left if left <= 50 else 0 < missing < left
        with pytest.raises(InputFileError, match="is cut off: it lacks"):
            open_clips([tmp_path / "a.mpg"])


# What FFmpeg reads and is no video


SCRIPTS = {
    "a.mp4": "ffconcat version 1.0\nfile secret.mp4\n",
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.3,\nsecret.ts\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_file_that_names_others_opens_none(run, tmp_path, name):  # noqa: F811
    for secret in ("secret.mp4", "secret.ts"):
        write_video(tmp_path / secret)
    (tmp_path / name).write_text(SCRIPTS[name])
    assert not is_video(tmp_path / name)
    assert_refused(run("build", tmp_path / name, "--out", tmp_path / "out"), "(it is a list of other files")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.txt", b"a line of what was seen\n" * 400, r" \(it is text\)$"),
        ("a.nfo", b"a line of what was seen\n" * 400, r" \(it is text\)$"),
        ("a.cdg", bytes(24 * 300), "$"),
        (
            "a.sdp",
            b"v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
            r" \(it is text\)$",
        ),
    ],
)
def test_what_ffmpeg_draws_is_no_video(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)
    assert not is_video(tmp_path / name)
    with pytest.raises(InputFileError, match=r"cannot be read as a video \(.*\)" + what):
        open_clips([tmp_path / name])


@pytest.mark.parametrize(("kind", "several"), [("tiff", True), ("tiff", False), ("png", False), ("jpeg", False)])
def test_images_whose_name_does_not_tell_are_refused(tmp_path, kind, several):
    images, exif = [Image.fromarray(video_frame(number)) for number in range(3)], Image.Exif()
    exif[0x0112] = 6
    stack = {"save_all": True, "append_images": images[1:]} if several else {}
    images[0].save(tmp_path / "a.recorded", kind, exif=exif, **stack)
    assert not is_video(tmp_path / "a.recorded")
    with pytest.raises(InputFileError, match="cannot be read as a video"):
        index_video(tmp_path / "a.recorded")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("mov", "mjpeg"), ("avi", "mpeg4"), ("mkv", "ffv1"), ("webm", "vp9"), ("3gp", "mpeg4"),
     ("ts", "libx264"), ("mpg", "mpeg2video"), ("m2v", "mpeg2video"), ("vob", "mpeg2video"), ("flv", "libx264"),
     ("mxf", "mpeg2video"), ("h264", "libx264"), ("ivf", "vp9"), ("nut", "ffv1"), ("gif", "gif")],
)  # fmt: skip
def test_videos_of_all_kinds_are_known_by_what_they_hold(tmp_path, suffix, codec):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        for number in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(video_frame(number), format="rgb24")))
        container.mux(stream.encode())
    path = path.rename(tmp_path / "a")
    assert is_video(path)
    assert index_video(path).n_frames == 9


# Several streams


def write_streams(path: Path, counts: list[int], default: int | None = None) -> Path:
    """Streams of so many frames, the first 32 pixels wide, each other 16 wider."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=30) for _ in counts]
        for number, stream in enumerate(streams):
            stream.height, stream.width, stream.pix_fmt = 32, 32 + 16 * number, "yuv420p"
            if default is not None:
                stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, count in zip(streams, counts, strict=True):
            for number in range(count):
                image = av.VideoFrame.from_ndarray(video_frame(number, 32, stream.width), format="rgb24")
                container.mux(stream.encode(image))
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "avi"])
@pytest.mark.parametrize(("counts", "taken"), [([9, 9], 0), ([1, 9], 1), ([1, 1], 0), ([1, 9, 9], 1), ([9, 1], 0)])
def test_of_several_videos_the_first_of_several_frames_is_taken(tmp_path, suffix, counts, taken):
    path = write_streams(tmp_path / f"a.{suffix}", counts)
    assert choose_stream(path) == (taken, len(counts) - 1)
    (clip,) = open_clips([path])
    assert [frame.shape[1] for frame in everything(clip)] == [32 + 16 * taken] * counts[taken]


@pytest.mark.parametrize(("counts", "default", "taken"), [([9, 9], 1, 1), ([9, 9], 0, 0), ([9, 1], 1, 0)])
def test_of_several_videos_the_one_is_taken_that_is_marked(tmp_path, counts, default, taken):
    (clip,) = open_clips([write_streams(tmp_path / "a.mkv", counts, default)])
    assert {frame.shape[1] for frame in everything(clip)} == {32 + 16 * taken}
    assert clip.fingerprint().get("stream", 0) == taken
    assert [frame.shape[1] for frame in clip.frames(5, 7)] == [32 + 16 * taken] * 2


def test_streams_that_are_stills_are_no_videos():
    flags = Disposition.attached_pic, Disposition.timed_thumbnails, Disposition.default, Disposition(0)
    streams = [SimpleNamespace(disposition=flag, codec_context=...) for flag in flags]
    assert video_streams(SimpleNamespace(name="a", streams=SimpleNamespace(video=streams))) == streams[2:]


@pytest.mark.parametrize("seed", range(4))
def test_damage_within_a_video_is_refused_when_it_is_read(tmp_path, seed):
    path = write_video(tmp_path / "a.mp4", movflags="faststart", options={"crf": "8"})
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 1000
    rng = np.random.default_rng(seed)
    for place in rng.integers(begin, len(content), 20):
        content[place] ^= rng.integers(1, 256)
    path.write_bytes(content)
    (clip,) = open_clips([path])
    with pytest.raises(InputFileError, match=r"a\.mp4 (is damaged|cannot be decoded) at frame \d+"):
        everything(clip)


@pytest.mark.parametrize(("packet", "start"), [(39, 39), (3, 0), (3, 9)])
def test_a_frame_that_the_decoder_could_only_guess_is_refused(tmp_path, packet, start):
    """Also where it lies before the frames wanted, which are coded from it."""
    path = write_video(tmp_path / "a.mp4", movflags="faststart", options={"crf": "8"})
    with av.open(str(path)) as container:
        place, size = [(each.pos, each.size) for each in container.demux(video=0) if each.size][packet]
    content = bytearray(path.read_bytes())
    content[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(content)
    assert len(decoded(path)) == 40
    (clip,) = open_clips([path])
    with pytest.raises(InputFileError, match=r"a\.mp4 is damaged at frame \d+; replace it"):
        list(clip.frames(start, max(start + 1, 9)))


@pytest.mark.recordings
def test_a_key_frame_that_later_frames_look_back_beyond_is_no_start(shared):
    """Behind those of this recording FFmpeg finds images incomplete."""
    (clip,) = open_clips([shared / "data" / "clips" / "cockatoo.mp4"])
    assert clip.index.key_frames == (0, 76, 145)
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


def test_images_are_gone_when_they_are_read(tmp_path):
    """Though nobody looks for circles meanwhile: a build of long videos would fill the memory."""
    (clip,) = open_clips([write_video(tmp_path / "a.mp4")])
    gc.collect()
    gc.disable()
    try:
        assert sum(1 for _ in clip.frames(0, 40)) == 40
        left = [thing for thing in gc.get_objects() if type(thing) is av.VideoFrame]
    finally:
        gc.enable()
    assert len(left) <= 3
