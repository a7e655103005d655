"""Images of one camera laid over those of another: crops, homographies, their files, and deblurring with them."""

import json
import sys
from pathlib import Path
from typing import Any

import commands
import cv2
import deblurring_data
import numpy as np
import pytest
from commands import Run, assert_refused
from deblurring_data import EXPOSURE, HEIGHT, WIDTH, content, pixels, scene
from PIL import Image

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.alignment import MOST_OUTSIDE, Alignment
from ssdm_models import load_deblurrer
from ssdm_models.deblur import TorchDeblurrer
from ssdm_models.ldn import LDN
from ssdm_models.recordings import BlurryRecording, deblur_recording, read_recording
from ssdm_models.shipped import SHIPPED
from ssdm_models.without_torch.opencv_deblurrer import OpenCVDeblurrer

checkpoint, ldn, recorded, run = (
    deblurring_data.checkpoint,
    deblurring_data.ldn,
    deblurring_data.recorded,
    commands.run,
)

LEFT, TOP = 7, 3
SHIFT = np.array([[1.0, 0, -LEFT], [0, 1, -TOP], [0, 0, 1]])
"""Of an image whose column 7 and row 3 are the first of the frame."""

TILTED = np.array([[1.9, 0.12, -31], [-0.07, 2.1, -18], [2e-4, -3e-4, 1]])


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A scene, at places that are measured in pixels of the blurry image."""
    waves = [np.sin(x / 9 + y / 30), np.cos(y / 7 - x / 40), np.sin((x - y) / 11)]
    return np.stack([127.5 + 100 * wave for wave in waves], -1)


def around(image: np.ndarray) -> np.ndarray:
    """An image that shows more than another: it begins 7 columns before it and 3 rows above."""
    larger = noise(image.shape[0] + 8, image.shape[1] + 12)
    larger[TOP : TOP + image.shape[0], LEFT : LEFT + image.shape[1]] = image
    return larger


# What is aligned


@pytest.mark.parametrize(
    "alignment",
    [Alignment(), Alignment(crop=(0, 0, 53, 37)), *(Alignment(s * np.eye(3)) for s in (1, -3, 1e300, -7e-310))],
)
def test_the_identity_changes_nothing(alignment: Alignment) -> None:
    image = noise(37, 53)
    warped = alignment.warp(image, 37, 53)
    np.testing.assert_array_equal(warped, image)
    assert not np.shares_memory(warped, image)


def test_a_planted_shift_is_undone_exactly_and_only_forwards() -> None:
    frame = noise(HEIGHT, WIDTH)
    blur = around(frame)
    np.testing.assert_array_equal(Alignment(SHIFT).warp(blur, HEIGHT, WIDTH), frame)
    with pytest.raises(InvalidValueError, match=r"of the frame, 52×36, lie outside .* to the frame, not back"):
        Alignment(np.linalg.inv(SHIFT)).warp(blur, HEIGHT, WIDTH)


def test_a_homography_is_what_opencv_finds_from_image_to_frame(tmp_path: Path) -> None:
    """Corners of a square that is at (20, 9) in the image and at (13, 6) in the frame."""
    in_image = np.array([[20, 9], [44, 9], [44, 30], [20, 30]], np.float64)
    in_frame = np.array([[13, 6], [37, 6], [37, 27], [13, 27]], np.float64)
    found, _ = cv2.findHomography(in_image, in_frame)
    np.savetxt(tmp_path / "H.txt", found)
    frame = noise(HEIGHT, WIDTH)
    np.testing.assert_array_equal(Alignment.load(tmp_path / "H.txt").warp(around(frame), HEIGHT, WIDTH), frame)


@pytest.mark.parametrize("homography", [TILTED, -2 * TILTED, TILTED @ [[-1, 0, 59], [0, 1, 0], [0, 0, 1]]])
def test_a_planted_homography_is_undone_within_interpolation(homography: np.ndarray) -> None:
    """Mirrors, as of beam splitters, are homographies as well."""
    y, x = np.mgrid[:48, :60].astype(np.float64)
    blur = np.rint(smooth(x, y)).astype(np.uint8)
    frame_y, frame_x = np.mgrid[:36, :44].astype(np.float64)
    inverse = np.linalg.inv(homography)
    back_x, back_y, scale = np.einsum("ij,jhw->ihw", inverse, np.stack([frame_x, frame_y, np.ones_like(frame_x)]))
    expected = smooth(back_x / scale, back_y / scale)
    aligned = Alignment(homography).warp(blur, 36, 44)
    assert aligned.dtype == np.uint8
    assert np.abs(aligned - expected).max() < 2.5
    assert np.abs(aligned.astype(int) - blur[:36, :44]).mean() > 20


def test_a_crop_is_cut_out_and_a_homography_stays_that_of_the_whole_image() -> None:
    frame = noise(HEIGHT, WIDTH)
    blur = around(frame)
    crop = (LEFT, TOP, WIDTH, HEIGHT)
    np.testing.assert_array_equal(Alignment(crop=crop).warp(blur, HEIGHT, WIDTH), frame)
    np.testing.assert_array_equal(Alignment(SHIFT, crop).warp(blur, HEIGHT, WIDTH), frame)
    assert Alignment(crop=crop).record() == {"homography": SHIFT.tolist(), "crop": [7, 3, 52, 36]}
    # What lies outside of the crop is not seen: its own edge is repeated.
    cut = Alignment(SHIFT, (LEFT + 1, TOP, WIDTH - 1, HEIGHT)).warp(blur, HEIGHT, WIDTH)
    np.testing.assert_array_equal(cut[:, 1:], frame[:, 1:])
    np.testing.assert_array_equal(cut[:, 0], frame[:, 1])


@pytest.mark.parametrize("missing", [0, 1, 5, 6])
def test_the_rim_is_repeated_as_far_as_it_may_be_missing(missing: int) -> None:
    """Of 100 columns 5 may lie outside."""
    assert MOST_OUTSIDE == 0.05
    image, shift = noise(37, 100), Alignment([[1, 0, missing], [0, 1, 0], [0, 0, 1]])
    if missing > 5:
        with pytest.raises(InvalidValueError, match=r"6% of the frame, 100×37, lie outside .*, more than 5%"):
            shift.warp(image, 37, 100)
        return
    aligned = shift.warp(image, 37, 100)
    np.testing.assert_array_equal(aligned[:, missing:], image[:, : 100 - missing])
    assert (aligned[:, :missing] == image[:, :1]).all()


def test_the_matrix_leads_back() -> None:
    """As docs say: frames are laid over the original by its inverse."""
    point = np.array([LEFT + 2, TOP + 5, 1.0])
    for alignment in (Alignment(SHIFT), Alignment(crop=(LEFT, TOP, 40, 20)), Alignment(SHIFT, (1, 2, 50, 30))):
        np.testing.assert_array_equal(alignment.matrix @ point, [2, 5, 1])
        np.testing.assert_array_equal(np.linalg.inv(alignment.matrix) @ [2, 5, 1], point)
    np.testing.assert_array_equal(Alignment().matrix, np.eye(3))


# What is refused

SINGULAR = [[1, 2, 3], [2, 4, 6], [0, 0, 1]]
HORIZON = [[1, 0, 0], [0, 1, 0], [0.05, 0, 1]]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (
            {"homography": np.eye(2)},
            r"homography must be a 3×3 matrix of real numbers, got float64 \(2, 2\); .*savetxt",
        ),
        ({"homography": np.eye(3)[None]}, r"got float64 \(1, 3, 3\)"),
        ({"homography": np.eye(3) * 1j}, r"got complex128 \(3, 3\)"),
        ({"homography": np.eye(3, dtype=bool)}, r"got bool \(3, 3\)"),
        ({"homography": [[1, 2], [3]]}, "homography must be an array of numbers"),
        ({"homography": np.eye(3) * np.nan}, "homography must be of finite numbers"),
        ({"homography": [[1, 0, np.inf], [0, 1, 0], [0, 0, 1]]}, "homography must be of finite numbers, got .*inf"),
        ({"homography": SINGULAR}, "homography must have an inverse, and .* is singular"),
        ({"homography": np.zeros((3, 3))}, "homography must have an inverse"),
        ({"crop": (0, 0, 4)}, "crop must be four numbers: left, top, width, height; got 3"),
        ({"crop": (-1, 0, 4, 4)}, "left of the crop must be a whole number of at least 0, got -1"),
        ({"crop": (0, 0, 4, 0)}, "height of the crop must be a whole number of at least 1, got 0"),
        ({"crop": (0, 1.5, 4, 4)}, "top of the crop must be a whole number"),
    ],
)
def test_what_is_no_alignment(arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        Alignment(**arguments)


@pytest.mark.parametrize(
    ("alignment", "what"),
    [
        (Alignment(crop=(20, 3, 34, 4)), "the crop takes columns 20 to 53 and rows 3 to 6, but the image is 53×37"),
        (Alignment(crop=(20, 30, 33, 8)), "rows 30 to 37, but the image is 53×37; give left, top, width and height"),
        (Alignment(crop=(0, 0, 52, 36)), "the crop is 52×36, expected 53×37; .* or give a homography"),
        (Alignment(HORIZON), "the horizon of the homography lies in the frame, 53×37"),
        (Alignment([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 1]]), r"7\d% of the frame, 53×37, lie outside"),
        (Alignment([[1, 0, 900], [0, 1, 0], [0, 0, 1]]), "100% of the frame, 53×37, lie outside"),
    ],
)
def test_what_an_image_cannot_be_aligned_by(alignment: Alignment, what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        alignment.warp(noise(37, 53), 37, 53)


def test_other_images_and_frames() -> None:
    with pytest.raises(InvalidValueError, match="the image is 53×37, expected 52×36"):
        Alignment().warp(noise(37, 53), 36, 52)
    with pytest.raises(InvalidValueError, match="image must be an RGB frame"):
        Alignment(np.eye(3)).warp(noise(37, 53)[..., 0], 36, 52)
    with pytest.raises(InvalidValueError, match="at most 32766 pixels a side, got 32767; crop the image"):
        Alignment(np.eye(3)).warp(noise(1, 32767), 1, 52)
    assert Alignment(np.eye(3), (0, 0, 60, 1)).warp(noise(1, 32767), 1, 60).shape == (1, 60, 3)


# Files


@pytest.mark.parametrize(
    "text",
    [
        "1 0 -7\n0 1 -3\n0 0 1\n",
        "1.0e+00,0,-7\r\n0,1,-3\r\n0,0,1",
        "# from the image to the frame\n1 0 -7 # x\n\n0 1 -3\n0 0 1",
        "1 0 -7 0 1 -3 0 0 1",
    ],
)
def test_a_homography_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "H.txt").write_text(text)
    assert Alignment.load(tmp_path / "H.txt") == Alignment(SHIFT)
    assert Alignment.load(tmp_path / "H.txt", (1, 2, 3, 4)) == Alignment(SHIFT, (1, 2, 3, 4))


def test_a_homography_is_read_to_the_bit_as_numpy_writes_it(tmp_path: Path) -> None:
    for options in ({}, {"delimiter": ","}, {"header": "a map"}):
        np.savetxt(tmp_path / "H.txt", TILTED, **options)
        np.testing.assert_array_equal(Alignment.load(tmp_path / "H.txt").matrix, TILTED)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "holds 0 numbers, expected the nine of a 3×3 matrix; numpy.savetxt"),
        (b"# 1 0 0 0 1 0 0 0 1", "holds 0 numbers"),
        (b"1 0 0\n0 1 0\n", "holds 6 numbers"),
        (b"1 0 0 0 1 0 0 0 1 0", "holds 10 numbers"),
        (b"1 0 0 0 one 0 0 0 1", "holds what is no number .*one"),
        (b"[[1, 0, 0], [0, 1, 0], [0, 0, 1]]", "holds what is no number"),
        (b"\x89PNG\xff", "is no text"),
        (b" " * 70_000, "has 70000 bytes, more than a file of nine numbers"),
        (b"1 0 0 0 1 0 0 0 nan", "H.txt: homography must be of finite numbers"),
        (b"1 0 0 2 0 0 0 0 1", "H.txt: homography must have an inverse"),
        (None, "cannot read .*H.txt: No such file"),
    ],
)
def test_files_of_no_homography(tmp_path: Path, content: bytes | None, what: str) -> None:
    if content is not None:
        (tmp_path / "H.txt").write_bytes(content)
    with pytest.raises(InputFileError, match=what):
        Alignment.load(tmp_path / "H.txt")


# Recordings


@pytest.fixture
def unaligned(recorded: Path) -> Path:
    """The recording of `recorded`, whose image another camera took, which saw more."""
    Image.fromarray(around(scene().blur)).save(recorded / "blur.png")
    np.savetxt(recorded / "H.txt", SHIFT)
    return recorded


CROP = (LEFT, TOP, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("alignment", "name", "options"),
    [
        (Alignment(SHIFT), "spikes.dat", {}),
        (Alignment(SHIFT), "spikes.npz", {}),
        (Alignment(SHIFT), "bare.dat", {"height": 9, "width": 13}),
        (Alignment(SHIFT, CROP), "spikes.h5", {}),
        (Alignment(crop=CROP), "spikes.h5", {}),
        (Alignment(crop=CROP), "bare.dat", {}),
    ],
)
def test_a_recording_is_aligned(unaligned: Path, alignment: Alignment, name: str, options: dict[str, Any]) -> None:
    recording = read_recording(unaligned / "blur.png", unaligned / name, alignment, **options)
    np.testing.assert_array_equal(recording.blur, scene().blur)
    np.testing.assert_array_equal(recording.spikes.packed, scene().spikes.packed)
    assert recording.alignment == alignment


def test_a_recording_that_lies_so_already_is_told_the_same(recorded: Path) -> None:
    recording = read_recording(recorded / "blur.png", recorded / "bare.dat", Alignment())
    np.testing.assert_array_equal(recording.blur, scene().blur)
    assert read_recording(recorded / "blur.png", recorded / "bare.dat").alignment is None


def test_recordings_that_cannot_be_aligned(unaligned: Path) -> None:
    def refused(alignment: Alignment | None, spikes: str, what: str, **options: Any) -> None:
        with pytest.raises((InvalidValueError, InputFileError), match=what):
            read_recording(unaligned / "blur.png", unaligned / spikes, alignment, **options)

    refused(None, "spikes.npz", r"blur.png is 64×44, a quarter of which is 16×11; .* with --crop or .* --align")
    refused(Alignment(SHIFT), "bare.dat", "the size of .*bare.dat is not known: give height and width")
    refused(Alignment(crop=(0, 0, 50, 36)), "bare.dat", "the crop of .*blur.png is 50×36; .*must be multiples of 4")
    refused(Alignment(crop=(0, 0, 48, 36)), "spikes.npz", "13×9, but the crop of .*blur.png is 48×36")
    refused(Alignment(crop=(0, 0, 400, 400)), "bare.dat", "100×100 is a quarter of the crop of .*blur.png")
    refused(Alignment(crop=(13, 9, 52, 36)), "bare.dat", "blur.png cannot be aligned with .*bare.dat: the crop takes")
    refused(Alignment(np.linalg.inv(SHIFT)), "spikes.npz", "blur.png cannot be aligned with .*lie outside")


def test_parts_of_a_recording_are_checked() -> None:
    blur, spikes = scene()
    for arguments, what in (
        ((blur[..., 0], spikes), "blur must be RGB uint8"),
        ((blur, blur), "spikes must be a SpikeStream, got ndarray"),
        ((blur, spikes, SHIFT), "alignment must be an Alignment, got ndarray"),
    ):
        with pytest.raises(InvalidValueError, match=what):
            BlurryRecording(*arguments)


@pytest.mark.parametrize("engine", ["torch", "OpenCV"])
def test_both_engines_see_the_aligned_image(unaligned: Path, tmp_path: Path, engine: str) -> None:
    deblurrer = load_deblurrer(SHIPPED, "cpu") if engine == "torch" else OpenCVDeblurrer(SHIPPED)
    assert deblurrer.engine == engine
    aligned = read_recording(unaligned / "blur.png", unaligned / "spikes.npz", Alignment(SHIFT))
    for recording, out in ((aligned, "aligned"), (scene(), "plain")):
        deblur_recording(deblurrer, recording, tmp_path / out, exposure=EXPOSURE, frames=2)
    assert content(tmp_path / "aligned") == content(tmp_path / "plain")
    records = [json.loads((tmp_path / f"{out}.json").read_text()) for out in ("aligned", "plain")]
    assert records[0].pop("alignment") == {"homography": SHIFT.tolist(), "crop": None}
    assert records[0] == records[1]


def test_frames_of_another_alignment_are_other_frames(ldn: LDN, unaligned: Path, tmp_path: Path) -> None:
    def write(alignment: Alignment | None, **options: Any) -> int:
        recording = read_recording(unaligned / "blur.png", unaligned / "spikes.npz", alignment)
        options = {"exposure": EXPOSURE, "frames": 3, **options}
        return deblur_recording(TorchDeblurrer(ldn), recording, tmp_path / "out", **options).kept

    assert write(Alignment(SHIFT)) == 0
    whole = content(tmp_path / "out")
    (tmp_path / "out" / "000024.png").unlink()
    assert write(Alignment(SHIFT)) == 2
    assert content(tmp_path / "out") == whole
    for alignment, what in (
        (Alignment(SHIFT, CROP), "alignment"),
        (Alignment([[1, 0, -6], [0, 1, -3], [0, 0, 1]]), "blur, alignment"),
        (Alignment([[1, 0, -6.5], [0, 1, -3], [0, 0, 1]], CROP), "blur, alignment"),
    ):
        before = content(tmp_path / "out")
        with pytest.raises(OutputError, match=rf"made otherwise \(other {what}\).*--overwrite"):
            write(alignment)
        assert content(tmp_path / "out") == before
        assert write(alignment, overwrite=True) == 0
    Image.fromarray(scene().blur).save(unaligned / "blur.png")
    assert write(Alignment(np.eye(3)), overwrite=True) == 0
    with pytest.raises(OutputError, match=r"made otherwise \(other alignment\)"):
        write(None)


# The command


@pytest.mark.parametrize("engine", ["torch", "OpenCV"])
def test_the_command_aligns(
    run: Run, unaligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    if engine == "OpenCV":
        monkeypatch.setitem(sys.modules, "torch", None)
    words = ("--exposure", 5, 25, "--frames", 2)
    image = tmp_path / "aligned.png"
    Image.fromarray(scene().blur).save(image)
    plain = run("deblur", image, unaligned / "bare.dat", tmp_path / "plain", *words)
    assert plain.code == 0
    assert "alignment" not in run("deblur", image, unaligned / "bare.dat", tmp_path / "plain", *words, "--json").json
    for name, spikes, how in (
        ("shifted", "spikes.npz", ("--align", unaligned / "H.txt")),
        ("sized", "bare.dat", ("--align", unaligned / "H.txt", "--height", 9, "--width", 13)),
        ("cropped", "bare.dat", ("--crop", *CROP)),
        ("both", "spikes.h5", ("--crop", *CROP, "--align", unaligned / "H.txt")),
    ):
        result = run("deblur", unaligned / "blur.png", unaligned / spikes, tmp_path / name, *words, *how, "--json")
        assert (result.json["width"], result.json["height"]) == (WIDTH, HEIGHT)
        assert result.json["alignment"]["homography"] == SHIFT.tolist()
        assert result.json["alignment"] == json.loads((tmp_path / f"{name}.json").read_text())["alignment"]
        assert content(tmp_path / name) == content(tmp_path / "plain")


def test_the_command_refuses_what_is_no_alignment(run: Run, unaligned: Path, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("1 2 3")
    np.savetxt(tmp_path / "back.txt", np.linalg.inv(SHIFT))
    before = content(unaligned)
    good = ("deblur", unaligned / "blur.png", unaligned / "spikes.npz", tmp_path / "out", "--checkpoint", checkpoint)
    good = (*good, "--at", 9)
    assert_refused(run(*good), "--crop", "--align")
    assert_refused(run(*good, "--align", tmp_path / "none.txt"), "cannot read", "none.txt")
    assert_refused(run(*good, "--align", tmp_path / "bad.txt"), "bad.txt holds 3 numbers, expected the nine")
    assert_refused(run(*good, "--align", tmp_path / "back.txt"), "lie outside of the image", "not back")
    assert_refused(run(*good, "--align", unaligned / "blur.png"), "blur.png is no text")
    assert_refused(run(*good, "--crop", 0, 0, 52), "--crop")
    assert_refused(run(*good, "--crop", 13, 9, WIDTH, HEIGHT), "but the image is 64×44")
    assert_refused(run(*good, "--crop", -1, 0, WIDTH, HEIGHT), "left of the crop", "got -1")
    assert_refused(run(*good, "--crop", 0, 0, 48, 36), "13×9", "48×36")
    words = (*good[:3], unaligned / "H.txt", *good[4:], "--align", unaligned / "H.txt")
    assert_refused(run(*words), "OUT would replace", "H.txt")
    assert content(unaligned) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.txt", "bad.txt", "recorded"]


def test_an_image_or_video_is_aligned_as_well(run: Run, unaligned: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ("--checkpoint", checkpoint, "--at", 9, "--crop", *CROP)
    for name in ("a.png", "a.gif", "a.mp4"):
        assert run("deblur", unaligned / "blur.png", unaligned / "bare.dat", tmp_path / name, *words).code == 0
    deblur_recording(load_deblurrer(checkpoint, "cpu"), scene(), tmp_path / "same.png", at=[9])
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "same.png"))
