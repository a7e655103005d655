"""What is said of videos, folders of frames and images: how they were written, also where a build refuses them."""

from pathlib import Path

import av
import numpy as np
import pytest
from commands import assert_refused, run  # noqa: F401
from PIL import Image
from source_data import noise, video_frame, write_frames, write_video

from spikesim.errors import InputFileError
from spikesim_datasets.image_files import read_image
from spikesim_datasets.recognition import recognise
from spikesim_datasets.source_description import describe_sources
from spikesim_datasets.sources import Reading, open_clips
from spikesim_datasets.visualisation import clip_sheet, clip_video

EVEN_TIMES = [25 * number for number in range(40)]


def write_tagged(path: Path, size: tuple[int, int] = (48, 64), **tags: object) -> Path:
    """Three lossless frames that say of their colours what they are told to."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(video_frame(number, *size), format="rgb24").reformat(format="yuv420p")
            for name, value in tags.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_video_is_known_by_what_it_holds_where_its_name_tells_nothing(run, tmp_path):  # noqa: F811
    path = write_video(tmp_path / "a.mkv", "ffv1", times_ms=EVEN_TIMES).rename(tmp_path / "a.recorded")
    assert run("info", path, "--json").json["frames"] == 40
    (tmp_path / "notes.recorded").write_text("of the recording")
    (tmp_path / "b.recorded").write_bytes(bytes(range(256)) * 9)
    for name, what in (("notes.recorded", r"no video \(it is text\)"), ("b.recorded", "no video,")):
        with pytest.raises(InputFileError, match=what + r".*nor a spike file \(\.dat, "):
            recognise(tmp_path / name)


@pytest.mark.parametrize("source", ["demo:street", "photo:photos#9"])
def test_of_what_is_rendered_a_build_tells(run, source):  # noqa: F811
    assert_refused(run("info", source), "does not exist; which clips are rendered for it, `spikesim build --dry-run`")


def test_an_even_video(run, tmp_path):  # noqa: F811
    path = write_video(tmp_path / "a.mkv", "ffv1", times_ms=EVEN_TIMES)
    record = run("info", path, "--json").json
    assert record == {
        "path": str(path), "kind": "video", "clip": "a", "frames": 40, "frame": [48, 64],
        "rate": 40.0, "even": True, "timing": "even: frames are 25 ms apart, none more than 0 ms off",
        "orientation": "upright", "interlaced": False, "pixel_shape": 1.0, "windows": 1, "refused": None,
        "colours": {
            "matrix": "bt601", "transfer": "sdr", "range": "limited", "assumed": ["matrix", "transfer", "range"],
        },
    }  # fmt: skip
    told = run("info", path)
    assert (told.code, told.err) == (0, "")
    for words in (
        "64×48 pixels",
        "40 frames per second",
        "even: frames are 25 ms apart",
        "limited range (not told",
        "takes it",
    ):
        assert words in told.out


def test_an_uneven_video_is_described_and_refused(run, tmp_path):  # noqa: F811
    times = [time for number, time in enumerate(EVEN_TIMES) if number not in (7, 30)] + [1000, 1025]
    path = write_video(tmp_path / "a.mkv", "ffv1", times_ms=times)
    record = run("info", path, "--json").json
    assert record["even"] is False
    assert record["timing"] == (
        "uneven: most frames are 25 ms apart, but 2 of 39 are not: frames 6 and 7 are 50 ms apart"
    )
    assert record["rate"] == pytest.approx(39 / 1.025)
    with pytest.raises(InputFileError) as refused:
        open_clips([path])
    assert record["refused"] == str(refused.value)
    assert "--timing resample" in record["refused"]


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_a_video_with_two_frames_at_one_time_is_refused_and_can_be_taken(run, tmp_path, codec):  # noqa: F811
    """Nobody knows when the second was seen; it used to be counted as the next of even ones."""
    times = EVEN_TIMES.copy()
    times[10] = times[9]
    path = write_video(tmp_path / "a.mkv", codec, times_ms=times)
    with pytest.raises(InputFileError, match=r"a\.mkv shows several frames at one time.*--timing ignore"):
        open_clips([path])
    with pytest.raises(InputFileError, match="shows several frames at one time"):
        open_clips([path], reading=Reading(timing="resample"))
    (clip,) = open_clips([path], reading=Reading(timing="ignore"))
    assert len(list(clip.frames(0, 99))) == 40
    record = run("info", path, "--json").json
    assert (record["even"], record["timing"]) == (False, "uneven: it shows several frames at one time")
    assert "--timing ignore" in record["refused"]


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("m4v", "mpeg4")])
def test_what_does_not_tell_its_times_says_so(tmp_path, suffix, codec):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w", format=suffix) as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(video_frame(number), format="rgb24")))
        container.mux(stream.encode())
    (said,) = describe_sources(path)
    assert (said.even, said.timing, said.refused) == (None, "not told; frames are taken as evenly apart", None)
    assert (said.frames, said.rate) == (40, None)  # the one FFmpeg gives is its own


def test_other_videos_of_a_file_are_counted(run, tmp_path):  # noqa: F811
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=30) for _ in range(3)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(40):
            image = av.VideoFrame.from_ndarray(video_frame(number), format="rgb24")
            container.mux([packet for stream in streams for packet in stream.encode(image)])
    assert run("info", path, "--json").json["other_streams"] == 2
    assert "other streams" in run("info", path).out


def test_a_video_of_one_frame_is_not_said_to_be_an_image(tmp_path):
    path = write_video(tmp_path / "a.mkv", "ffv1")
    with av.open(str(path)) as given, av.open(str(tmp_path / "b.mkv"), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        packet = next(given.demux(video=0))
        packet.stream = stream
        container.mux(packet)
    (said,) = describe_sources(tmp_path / "b.mkv")
    assert said.frames == 1
    assert "is a single frame" in str(said.refused)
    assert "photo:FILE, once it is saved as an image" in str(said.refused)
    assert "b.mkv" not in str(said.refused)


def test_interlaced_video_and_long_pixels_are_described(tmp_path):
    path = write_video(tmp_path / "a.mp4", options={"flags": "+ildct+ilme", "x264-params": "interlaced=1:tff=1"})
    (said,) = describe_sources(path)
    assert said.interlaced
    assert "is interlaced" in str(said.refused)
    (said,) = describe_sources(write_video(tmp_path / "b.mp4"))
    assert not said.interlaced
    path = write_video(tmp_path / "c.mp4", options={"x264-params": "sar=4/3"})
    (said,) = describe_sources(path)
    assert said.pixel_shape == pytest.approx(4 / 3)
    assert "--pixels ignore" in str(said.refused)


@pytest.mark.parametrize(
    ("tags", "size", "said"),
    [
        ({}, (48, 64), ("bt601", "sdr", "limited", ["matrix", "transfer", "range"])),
        ({}, (48, 1280), ("bt709", "sdr", "limited", ["matrix", "transfer", "range"])),
        ({"colorspace": 1, "color_trc": 1, "color_range": 1}, (48, 64), ("bt709", "bt709 (sdr)", "limited", [])),
        ({"colorspace": 6, "color_range": 2}, (48, 1280), ("bt601", "sdr", "full", ["transfer"])),
        ({"color_trc": 18}, (48, 64), ("bt2020", "arib_std_b67 (hlg)", "limited", ["matrix", "range"])),
        ({"colorspace": 9, "color_trc": 16}, (48, 64), ("bt2020", "smpte2084 (pq)", "limited", ["range"])),
    ],
)
def test_colours_are_those_that_are_tagged_or_assumed(tmp_path, tags, size, said):
    (description,) = describe_sources(write_tagged(tmp_path / "a.mkv", size, **tags))
    assert description.colours == dict(zip(("matrix", "transfer", "range", "assumed"), said, strict=True))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"color_trc": 17}, "smpte428 (not converted)"),
        ({"colorspace": 10, "color_trc": 17}, "number 10 of ITU-T H.273"),
    ],
)
def test_colours_that_are_not_converted_are_described(tmp_path, tags, words):
    (said,) = describe_sources(write_tagged(tmp_path / "a.mkv", **tags))
    assert words in (said.colours["matrix"], said.colours["transfer"])
    assert "--transfer" in str(said.refused)
    assert len(list(said.clip.frames(0, 9))) == 3


def test_folders_images_and_stacks(tmp_path):
    (said,) = describe_sources(write_frames(tmp_path / "frames", 42))
    assert (said.kind, said.frames, said.height, said.width, said.rate, said.even) == ("frames", 42, 20, 28, None, None)
    assert (said.windows, said.refused) == (2, None)
    (tmp_path / "frames" / "000009.png").unlink()
    (said,) = describe_sources(tmp_path / "frames")
    assert (said.frames, said.windows) == (41, 1)
    assert "lacks frames between 000008.png and 000010.png" in str(said.refused)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(1)).save(tmp_path / "a.jpg", exif=exif)
    (said,) = describe_sources(tmp_path / "a.jpg")
    assert (said.kind, said.height, said.width, said.orientation) == ("image", 28, 20, "turned by 90° clockwise")
    assert f"photo:{tmp_path / 'a.jpg'}" in str(said.refused)
    images = [Image.fromarray(noise(number)) for number in range(4)]
    images[0].save(tmp_path / "b.png", save_all=True, append_images=images[1:], duration=40)
    (said,) = describe_sources(tmp_path / "b.png")
    assert (said.kind, said.frames, said.rate, said.even) == ("stack", 4, 25.0, True)
    assert "is too short: one window takes 29 frames, it has 4" in str(said.refused)


def test_what_a_build_could_not_cut_into_quarters_is_told(tmp_path):
    path = write_video(tmp_path / "a.mkv", "ffv1", size=(46, 64))
    (said,) = describe_sources(path)
    assert "both must be multiples of 4" in str(said.refused)


def test_turned_video(run, tmp_path):  # noqa: F811
    path = tmp_path / "a.mkv"
    write_video(tmp_path / "plain.mp4")
    with av.open(str(tmp_path / "plain.mp4")) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.metadata["rotate"] = "90"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    assert run("info", path, "--json").json["frame"] in ([48, 64], [64, 48])


def test_several_clips_are_a_line_each(run, tmp_path):  # noqa: F811
    write_frames(tmp_path / "all" / "walk", 29)
    write_video(tmp_path / "all" / "run.mkv", "ffv1", times_ms=[*EVEN_TIMES[:39], 1200])
    record = run("info", tmp_path / "all", "--json").json
    assert [(clip["clip"], clip["frames"], clip["windows"]) for clip in record["clips"]] == [
        ("run", 40, 1), ("walk", 29, 1),
    ]  # fmt: skip
    told = run("info", tmp_path / "all").out
    assert "run.mkv does not show its frames in even steps" in told
    assert max(map(len, told.partition("└")[0].splitlines())) <= 80


def test_sources_are_told_from_spikes(run, tmp_path):  # noqa: F811
    clip = write_frames(tmp_path / "clips" / "walk")
    assert [recognise(path) for path in (clip, tmp_path / "clips", clip / "000000.png")] == ["source"] * 3
    assert recognise(write_video(tmp_path / "A.MP4")) == "source"
    assert_refused(run("convert", clip, tmp_path / "a.dat"), "holds no spikes", "spikesim simulate")


def test_damaged_videos_are_refused_as_before(run, tmp_path):  # noqa: F811
    (tmp_path / "a.mp4").write_text("text")
    assert_refused(run("info", tmp_path / "a.mp4"), "cannot be read as a video", "it is text")


# view


def test_frames_are_shown_as_a_build_takes_them(run, tmp_path):  # noqa: F811
    folder = write_frames(tmp_path / "walk", 9)
    (said,) = describe_sources(folder)
    assert run("view", folder, tmp_path / "a.png").code == 0
    assert np.array_equal(read_image(tmp_path / "a.png"), clip_sheet(said.clip))
    shown = [frame for number in (1, 2, 4, 5, 6) for frame in said.clip.frames(number, number + 1)]
    # The strip has five panels of 400 columns below their captions; each is its frame, magnified to nearest pixels.
    strip, height = clip_sheet(said.clip), round(20 * 400 / 28)
    rows, columns = np.arange(height) * 20 // height, np.arange(400) * 28 // 400
    for panel, frame in enumerate(shown):
        same = strip[32 : 32 + height, 6 + panel * 406 :][:, :400] == frame[rows][:, columns]
        assert same.mean() > 0.95  # borders of magnified pixels may lie one further
    assert len(list(clip_video(said.clip))) == 9
    for name, counted in (("a.gif", 9), ("a.mp4", 9)):
        assert run("view", folder, tmp_path / name).code == 0
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == counted


def test_an_uneven_video_can_be_looked_at(run, tmp_path):  # noqa: F811
    path = write_video(tmp_path / "a.mkv", "ffv1", times_ms=[*EVEN_TIMES[:39], 1200])
    assert run("view", path, tmp_path / "a.png").code == 0
    write_frames(tmp_path / "two" / "b")
    write_frames(tmp_path / "two" / "c")
    assert_refused(run("view", tmp_path / "two", tmp_path / "b.png"), "holds 2 clips; give one of them")
