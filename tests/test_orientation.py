"""Whatever a file says of the way up it lies, its frames are those that viewers and players show."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from commands import assert_refused, run  # noqa: F401
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from source_data import everything

from spikesim import SpikeCamera, simulate, write_spikes
from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, read_image
from spikesim_datasets.orientation import of_display_matrix, swaps_sides, upright
from spikesim_datasets.sources import open_clips

ORIENTATIONS = range(1, 9)
STORED = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)


def write_image(path: Path, pixels: np.ndarray, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(
        path, exif=exif, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {})
    )
    return path


def shown(path: Path) -> np.ndarray:
    """As Pillow shows it, which is not how it is read here."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


# One function


def test_orientations_are_what_they_say():
    a = STORED
    expected = [a, a[:, ::-1], a[::-1, ::-1], a[::-1], a.swapaxes(0, 1), np.rot90(a, -1),
                a[::-1, ::-1].swapaxes(0, 1), np.rot90(a)]  # fmt: skip
    for orientation, turned in zip(ORIENTATIONS, expected, strict=True):
        assert np.array_equal(upright(a, orientation), turned), orientation
        assert swaps_sides(orientation) == (turned.shape != a.shape)


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1), (0, 1, 1, 0),
                                    (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0)])  # fmt: skip
def test_a_display_matrix_takes_every_pixel_where_it_says(matrix):
    a, b, c, d = matrix
    height, width, _ = STORED.shape
    q, p = np.mgrid[:height, :width]
    x, y = a * p + c * q, b * p + d * q
    expected = np.empty((np.ptp(y) + 1, np.ptp(x) + 1, 3), np.uint8)
    expected[y - y.min(), x - x.min()] = STORED
    file = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    assert np.array_equal(upright(STORED, of_display_matrix(file, "it")), expected)


def test_other_angles_are_refused():
    half = round(0.5**0.5 * 65536)
    for matrix in ([half, half, 0, -half, half, 0, 0, 0, 1 << 30], [0] * 9):
        with pytest.raises(InputFileError, match=r"^it is to be shown turned by an angle .*; turn it upright"):
            of_display_matrix(matrix, "it")


# Images


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_images_lie_as_viewers_show_them(tmp_path, suffix, orientation):
    path = write_image(tmp_path / f"a{suffix}", STORED, orientation)
    image = read_image(path)
    assert np.array_equal(image, shown(path))
    assert image_header(path).size == image.shape[1::-1] == ((8, 12) if orientation > 4 else (12, 8))
    if suffix != ".jpg":
        assert np.array_equal(image, upright(STORED, orientation))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_there_is_not_is_none(tmp_path, orientation):
    assert np.array_equal(read_image(write_image(tmp_path / "a.png", STORED, orientation)), STORED)


def test_a_size_is_found_without_decoding(tmp_path):
    path = write_image(tmp_path / "a.png", STORED, 6)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"IDAT") + 8])
    assert image_header(path)[:3] == (8, 12, 6)


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


def note_orientation(path: Path, where: str, orientation: int) -> Path:
    """A PNG file that says it in its head, in one of the ways there are."""
    exif, text = Image.Exif(), PngInfo()
    exif[0x0112] = orientation
    if where == "xmp":
        text.add_itxt("XML:com.adobe.xmp", XMP.format(orientation))
    if where == "text":
        text.add_text("Raw profile type exif", f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n", zip=True)
    Image.fromarray(STORED).save(path, pnginfo=text, **({"exif": exif} if where == "exif" else {}))
    return path


def move_behind_the_pixels(path: Path, kind: bytes) -> None:
    content = path.read_bytes()
    start = content.index(kind) - 4
    length = 12 + struct.unpack(">I", content[start : start + 4])[0]
    chunk, rest = content[start : start + length], content[:start] + content[start + length :]
    end = rest.index(b"IEND") - 4
    assert zlib.crc32(chunk[4:-4]) == struct.unpack(">I", chunk[-4:])[0]
    path.write_bytes(rest[:end] + chunk + rest[end:])


@pytest.mark.parametrize(("where", "kind"), [("exif", b"eXIf"), ("xmp", b"iTXt"), ("text", b"zTXt")])
def test_an_orientation_behind_the_pixels_is_not_left_out_in_silence(tmp_path, where, kind):
    path = note_orientation(tmp_path / "a.png", where, 6)
    assert np.array_equal(read_image(path), upright(STORED, 6))
    move_behind_the_pixels(path, kind)
    with pytest.raises(InputFileError, match="says only behind its pixels which way up they lie; save it again"):
        read_image(path)
    move_behind_the_pixels(note_orientation(path, where, 1), kind)
    assert np.array_equal(read_image(path), STORED)


def test_a_folder_of_turned_frames_is_a_clip_of_upright_ones(tmp_path):
    (tmp_path / "walk").mkdir()
    for number in range(3):
        write_image(tmp_path / "walk" / f"{number}.png", STORED + number, 8)
    (clip,) = open_clips([tmp_path / "walk"])
    assert (clip.height, clip.width) == (12, 8)
    assert np.array_equal(everything(clip), [np.rot90(STORED + number) for number in range(3)])


def test_frames_that_lie_otherwise_are_another_clip(tmp_path):
    """What was built of them before they were turned is not kept as if it were the same."""
    for name, orientation in (("a", 1), ("b", 3)):
        (tmp_path / name / "clip").mkdir(parents=True)
        write_image(tmp_path / name / "clip" / "0.png", STORED, orientation)
    plain, turned = (open_clips([tmp_path / name / "clip"])[0].fingerprint() for name in "ab")
    assert "upright" not in plain
    assert turned["upright"] == 1


def test_deblur_takes_the_blurry_image_upright(run, tmp_path):  # noqa: F811
    """Image and spikes of one scene, the image stored upside down: what is shown is the same."""
    pytest.importorskip("torch")
    scene = np.zeros((32, 48, 3), np.uint8)
    scene[:16] = 200
    spikes = simulate(np.repeat(scene[None, 2::4, 2::4, 0] / 255, 137, 0).astype(np.float32), SpikeCamera(), seed=1)
    write_spikes(tmp_path / "s.npz", spikes)
    write_image(tmp_path / "plain.png", scene, 1)
    write_image(tmp_path / "turned.png", scene[::-1, ::-1], 3)
    for name in ("plain", "turned"):
        result = run("deblur", tmp_path / f"{name}.png", tmp_path / "s.npz", tmp_path / name, "--at", 68)
        assert result.code == 0, result.err
    one, other = (sorted((tmp_path / name).glob("*.png")) for name in ("plain", "turned"))
    assert len(one) == len(other) >= 1
    assert all(np.array_equal(read_image(a), read_image(b)) for a, b in zip(one, other, strict=True))


# Videos


def write_turned(path: Path, degrees: int = 0, matrix: list[int] | None = None) -> Path:
    """Four frames, light at their left and grey at their top, to be turned anticlockwise when they are shown."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if degrees:
            stream.set_display_rotation(degrees)
        if matrix:
            stream.set_display_matrix(matrix)
        for number in range(4):
            frame = np.full((48, 64, 3), 40 + number, np.uint8)
            frame[:, :16], frame[:8] = 220, 120
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_videos_lie_as_players_show_them(tmp_path, suffix, quarters):
    (plain,) = open_clips([write_turned(tmp_path / f"plain{suffix}")])
    (clip,) = open_clips([write_turned(tmp_path / f"a{suffix}", 90 * quarters)])
    expected = [np.rot90(frame, quarters) for frame in everything(plain)]
    assert (clip.height, clip.width) == expected[0].shape[:2]
    assert np.array_equal(everything(clip), expected)
    assert np.array_equal(list(clip.frames(2, 4)), expected[2:])


def test_a_mirrored_video_is_mirrored(tmp_path):
    matrix = [-65536, 0, 0, 0, 65536, 0, 64 << 16, 0, 1 << 30]
    (plain,) = open_clips([write_turned(tmp_path / "plain.mp4")])
    (clip,) = open_clips([write_turned(tmp_path / "a.mp4", matrix=matrix)])
    assert np.array_equal(everything(clip), np.array(everything(plain))[:, :, ::-1])


def write_jpegs(path: Path, images: list[bytes]) -> Path:
    """A video of JPEG files as they are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        for number, image in enumerate(images):
            packet = av.Packet(image)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 30), True
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".mov", ".avi", ".mkv"])
def test_video_of_jpeg_lies_as_its_images_say(tmp_path, suffix, orientation):
    y, x = np.mgrid[:48, :64]
    image = write_image(tmp_path / "a.jpg", np.stack([3 * x, 5 * y, x + y], axis=-1).astype(np.uint8), orientation)
    (clip,) = open_clips([write_jpegs(tmp_path / f"a{suffix}", [image.read_bytes()] * 2)])
    for frame in everything(clip):
        assert np.abs(frame.astype(int) - shown(image)).max() <= 12  # chroma lies otherwise between pixels


def test_a_video_says_which_way_up_it_lies_at_its_beginning_alone(tmp_path):
    """In H.264 this is then true of all that follows."""
    plain = write_turned(tmp_path / "plain.mp4")
    with av.open(str(plain)) as given, av.open(str(tmp_path / "a.mp4"), "w") as container:
        source = given.streams.video[0]
        stream = container.add_stream_from_template(source)
        turn = BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", source, stream)
        for packet in given.demux(source):
            for turned in turn.filter(packet if packet.size else None):
                turned.stream = stream
                container.mux(turned)
    (clip,) = open_clips([tmp_path / "a.mp4"])
    expected = [np.rot90(frame) for frame in everything(*open_clips([plain]))]
    assert np.array_equal(everything(clip), expected)
    assert np.array_equal(list(clip.frames(3, 4)), expected[3:])


def test_a_video_that_is_turned_is_another_clip(tmp_path):
    turned = open_clips([write_turned(tmp_path / "a.mp4", 90)])[0].fingerprint()
    assert turned["upright"] == 1
    assert "upright" not in open_clips([write_turned(tmp_path / "b.mp4")])[0].fingerprint()


def test_a_video_at_another_angle_is_refused(run, tmp_path):  # noqa: F811
    half = round(0.5**0.5 * 65536)
    path = write_turned(tmp_path / "a.mp4", matrix=[half, half, 0, -half, half, 0, 0, 0, 1 << 30])
    assert_refused(run("build", path, "--out", tmp_path / "out"), "no multiple of 90°", "turn it upright")
    assert not (tmp_path / "out").exists()
