"""What the values of a video mean: by its tags, by what players do where there are none, or by what the user says."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import assert_refused, run  # noqa: F401
from source_data import everything, write_video

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.sources import Reading, open_clips
from spikesim_datasets.videos import Colours, to_rgb

HD, SD = (720, 1280), (480, 640)
PQ, HLG, LINEAR, LOG = 16, 18, 8, 9
BT709, UNTAGGED, BT601, YCGCO, BT2020 = 1, 2, 5, 8, 9
LIMITED, FULL = 1, 2
XYZ, P3 = 10, 12

COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Of red and of blue in luma: ITU-R BT.601, BT.709, BT.2020."""


def write_codes(
    path: Path, pixels: str, codes: tuple[int, ...], size: tuple[int, int] = (48, 64), **tags: int | None
) -> Path:
    """Two lossless frames of one code in each plane, or several in turn, with tags of colours."""
    said = {name: value for name, value in tags.items() if value is not None}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        (stream.height, stream.width), stream.pix_fmt = size, pixels
        for name, value in said.items():
            setattr(stream.codec_context, name, value)
        for _ in range(2):
            frame = av.VideoFrame(size[1], size[0], pixels)
            kind = np.uint8 if frame.format.components[0].bits == 8 else np.dtype("<u2")
            for plane, code in zip(frame.planes, np.split(np.array(codes, kind), len(frame.planes)), strict=True):
                plane.update(np.resize(code, plane.buffer_size // np.dtype(kind).itemsize).tobytes())
            for name, value in said.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_flat(
    path: Path,
    values: tuple[float, float, float],
    size: tuple[int, int] = (48, 64),
    *,
    bits: int = 8,
    matrix: int | None = None,
    transfer: int | None = None,
    primaries: int | None = None,
) -> Path:
    """Two lossless frames of one luma and chroma, in 255ths of full range, coded in limited range."""
    luma, *chroma = values
    scale = 1 << (bits - 8)
    codes = [round(scale * (16 + 219 * luma / 255)), *(round(scale * (128 + 224 * each / 255)) for each in chroma)]
    pixels = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    return write_codes(
        path, pixels, tuple(codes), size, colorspace=matrix, color_trc=transfer, color_primaries=primaries
    )


def rgb_of(matrix: str, luma: float, blue: float, red: float) -> np.ndarray:
    """By the definition of luma: Y = r·R + (1 − r − b)·G + b·B, blue and red are B − Y and R − Y, scaled."""
    r, b = COEFFICIENTS[matrix]
    blue, red = luma + 2 * (1 - b) * blue, luma + 2 * (1 - r) * red
    return np.array([red, (luma - r * red - b * blue) / (1 - r - b), blue])


def first_pixel(path: Path, **reading: str) -> np.ndarray:
    (clip,) = open_clips([path], reading=Reading(**reading))  # type: ignore[arg-type]
    frame = everything(clip)[0]
    assert np.ptp(frame, axis=(0, 1)).max() <= 1
    return frame[24, 24].astype(int)


# Matrices


@pytest.mark.parametrize(
    ("size", "tag", "reading", "matrix"),
    [
        (HD, None, {}, "bt709"),
        (SD, None, {}, "bt601"),
        ((576, 1024), None, {}, "bt601"),
        ((578, 640), None, {}, "bt709"),
        ((480, 1280), None, {}, "bt709"),
        (HD, BT601, {}, "bt601"),
        (SD, BT709, {}, "bt709"),
        (SD, BT2020, {}, "bt2020"),
        (HD, None, {"matrix": "bt601"}, "bt601"),
        (SD, None, {"matrix": "bt2020"}, "bt2020"),
        (HD, BT709, {"matrix": "bt601"}, "bt601"),
        (SD, YCGCO, {"matrix": "bt709"}, "bt709"),
    ],
)
def test_colours_are_those_of_the_matrix(tmp_path, size, tag, reading, matrix):
    values = (120.0, -30.0, 50.0)
    path = write_flat(tmp_path / "a.mkv", values, size, matrix=tag)
    assert np.abs(first_pixel(path, **reading) - rgb_of(matrix, *values)).max() <= 2
    others = {name: rgb_of(name, *values) for name in COEFFICIENTS if name != matrix}
    assert all(np.abs(first_pixel(path, **reading) - other).max() > 3 for other in others.values())


@pytest.mark.parametrize("transfer", [None, PQ])
@pytest.mark.parametrize("tag", [LIMITED, FULL])
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("sharing", ["420", "422", "444"])
def test_rows_that_share_chroma_have_its_colours(tmp_path, sharing, bits, tag, transfer):
    scale, top = 1 << (bits - 8), (1 << bits) - 1
    codes = 100 * scale, 140 * scale, 117 * scale
    (black, luma), chroma = ((16, 219), 224) if tag == LIMITED else ((0, top / scale), top / scale)
    signals = rgb_of("bt709", 100 - black, (140 - 128) * luma / chroma, (117 - 128) * luma / chroma) / luma
    path = write_codes(tmp_path / "a.mkv", f"yuv{sharing}p" + (f"{bits}le" if bits > 8 else ""), codes,
                       color_range=tag, colorspace=BT709, color_trc=transfer, color_primaries=BT709)  # fmt: skip
    expected = 255 * signals if transfer is None else [pixel_of(pq_light(signal)) for signal in signals]
    assert np.abs(first_pixel(path) - expected).max() <= (1 if bits > 8 else 2)


def test_what_no_matrix_codes_needs_none(tmp_path):
    for pixels in ("bgr0", "gray"):
        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=30)
            stream.height, stream.width, stream.pix_fmt = *HD, pixels
            image = av.VideoFrame.from_ndarray(np.full((*HD, 3), 77, np.uint8), format="rgb24")
            container.mux([*stream.encode(image.reformat(format=pixels)), *stream.encode()])
        (clip,) = open_clips([tmp_path / "a.mkv"])
        assert clip.index.colours == Colours()
        assert (everything(clip)[0] == 77).all()


def test_a_matrix_that_is_not_converted_is_refused(tmp_path):
    path = write_flat(tmp_path / "a.mkv", (100, 0, 0), matrix=YCGCO)
    with pytest.raises(InputFileError, match=r"number 8 of ITU-T H\.273\); convert it, or .* --matrix bt601, bt709"):
        open_clips([path])


# Grey


@pytest.mark.parametrize(
    ("pixels", "bits"), [("gray", 8), ("gray10le", 10), ("gray12le", 12), ("gray16le", 16), ("bgr0", 8),
                         ("gbrp10le", 10), ("gbrp12le", 12), ("gbrp16le", 16)]
)  # fmt: skip
@pytest.mark.parametrize("levels", [(0, 16, 255), (235, 120, 17), (128, 16, 235)])
def test_what_no_matrix_codes_has_the_range_that_it_says(tmp_path, pixels, bits, levels):
    """Black of limited range is 16 of 255, white 235."""
    grey = pixels.startswith("gray")
    red, green, blue = (levels[0],) * 3 if grey else levels
    codes = (red,) if grey else (blue, green, red, 0) if pixels == "bgr0" else (green, blue, red)
    limited = write_codes(tmp_path / "a.mkv", pixels, tuple(code << (bits - 8) for code in codes), color_range=LIMITED)
    expected = np.clip((np.array([red, green, blue]) - 16) / 219, 0, 1) * 255
    assert np.abs(first_pixel(limited) - expected).max() <= 0.51
    assert open_clips([limited])[0].index.tags.range == "limited"
    for tag in (FULL, None):
        repeated = tuple(code << (bits - 8) | code >> (16 - bits) for code in codes)  # which are these levels exactly
        path = write_codes(tmp_path / "b.mkv", pixels, repeated, color_range=tag)
        assert first_pixel(path).tolist() == [red, green, blue]
        assert open_clips([path])[0].index.tags.range == "full"


@pytest.mark.parametrize(
    ("pixels", "bits", "chroma"),
    [("gray10le", 10, ()), ("gray16le", 16, ()), ("gbrp10le", 10, None), ("gbrp12le", 12, None), ("gbrp16le", 16, None),
     ("yuv444p10le", 10, 512), ("yuv420p12le", 12, 2048), ("yuv444p16le", 16, 32768)],
)  # fmt: skip
@pytest.mark.parametrize("part", [0.0, 0.003, 0.501968, 0.8309, 0.997, 1.0])
def test_more_than_8_bits_of_full_range_are_rounded(tmp_path, pixels, bits, chroma, part):
    code = round(part * ((1 << bits) - 1))
    codes = (code,) if chroma == () else (code, *([code if chroma is None else chroma] * 2))
    path = write_codes(tmp_path / "a.mkv", pixels, codes, color_range=FULL, colorspace=0 if chroma is None else BT709)
    assert np.abs(first_pixel(path) - 255 * code / ((1 << bits) - 1)).max() <= 0.51


def test_grey_of_limited_range_becomes_light(tmp_path):
    """75 % of HLG is diffuse white, 38 % a grey card of 18 %."""
    for signal, light in ((0.75, 1.0), (0.38, 0.18), (0.0, 0.0)):
        code = round(4 * (16 + 219 * signal))
        path = write_codes(tmp_path / "a.mkv", "gray10le", (code,), color_range=LIMITED, color_trc=HLG)
        assert np.abs(first_pixel(path) - pixel_of(light)).max() <= 2


# Light


def pixel_of(light: float) -> float:
    return 255 * min(light, 1) ** (1 / 2.2)


# Signal and light, in diffuse white, of points that BT.2408 and BT.2100 give: 58 % and 75 % are diffuse white, 38 % is
# a grey card of 18 % in HLG and 26 cd/m² in PQ; 10 % of PQ are 0.3244 cd/m²; HLG is a parabola up to 1/2.
@pytest.mark.parametrize(
    ("transfer", "signal", "light", "within"),
    [
        (PQ, 0.0, 0.0, 0), (PQ, 0.10, 0.3244 / 203, 1), (PQ, 0.38, 26 / 203, 2), (PQ, 0.5806, 1.0, 1),
        (PQ, 0.9, 1.0, 0),
        (HLG, 0.0, 0.0, 0), (HLG, 0.38, 0.18, 2), (HLG, 0.5, (1 / 12) / 0.26496, 1), (HLG, 0.25, (1 / 48) / 0.26496, 1),
        (HLG, 0.75, 1.0, 1), (HLG, 1.0, 1.0, 0),
        (LINEAR, 0.25, 0.25, 1), (LINEAR, 1.0, 1.0, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("primaries", [None, 9, 1])
def test_high_dynamic_range_becomes_light(tmp_path, transfer, signal, light, within, primaries):
    """Greys, which are grey in all primaries."""
    path = write_flat(tmp_path / "a.mkv", (255 * signal, 0, 0), bits=10, matrix=9, transfer=transfer,
                      primaries=primaries)  # fmt: skip
    assert np.abs(first_pixel(path) - pixel_of(light)).max() <= within + 0.5


def pq_signal(light: float) -> float:
    """Of light in diffuse white, by the inverse of the formula in use."""
    power = (light * 203 / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def pq_light(signal: float) -> float:
    low, high = 0.0, 10_000 / 203
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if pq_signal(middle) < signal else (low, middle)
    return low


@pytest.mark.parametrize("code", [150, 380, 460, 540, 580])
@pytest.mark.parametrize(
    ("pixels", "tag", "black", "white", "chroma"),
    [
        ("yuv444p10le", LIMITED, 64, 940, 512),
        ("yuv444p10le", FULL, 0, 1023, 512),
        ("yuv420p12le", FULL, 0, 4095, 2048),
        ("gbrp10le", None, 0, 1023, None),
        ("gbrp10le", LIMITED, 64, 940, None),
        ("gbrp12le", None, 0, 4095, None),
        ("gray10le", FULL, 0, 1023, ()),
        ("gray10le", LIMITED, 64, 940, ()),
    ],
)
def test_light_is_exact_in_every_range(tmp_path, code, pixels, tag, black, white, chroma):
    code *= 4 if "12" in pixels else 1
    codes = (code,) if chroma == () else (code, *([code if chroma is None else chroma] * 2))
    path = write_codes(tmp_path / "a.mkv", pixels, codes, color_range=tag, color_trc=PQ, color_primaries=BT709,
                       colorspace=0 if chroma is None else BT2020)  # fmt: skip
    assert np.abs(first_pixel(path) - pixel_of(pq_light((code - black) / (white - black)))).max() <= 0.6


def test_colours_of_wide_primaries_become_those_of_screens(tmp_path):
    """A green of BT.709 as BT.2020 has it: 0.3293, 0.9195, 0.0880 of light (ITU-R BT.2087, 3)."""
    light = np.array([0.3293, 0.9195, 0.0880])
    r, b = COEFFICIENTS["bt2020"]
    red, green, blue = map(pq_signal, light)
    luma = r * red + (1 - r - b) * green + b * blue
    values = 255 * luma, 255 * (blue - luma) / (2 * (1 - b)), 255 * (red - luma) / (2 * (1 - r))
    path = write_flat(tmp_path / "a.mkv", values, bits=10, matrix=BT2020, transfer=PQ, primaries=9)
    found = first_pixel(path)
    assert found[1] >= 252
    assert found[[0, 2]].max() < 40
    narrow = write_flat(tmp_path / "b.mkv", values, bits=10, matrix=BT2020, transfer=PQ, primaries=1)
    assert np.abs(first_pixel(narrow) - [pixel_of(each) for each in light]).max() <= 2


def to_xyz(red: tuple[float, float], green: tuple[float, float], blue: tuple[float, float]) -> np.ndarray:
    """By the places (x, y) of primaries and of white, which is D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue, (0.3127, 0.3290))]).T
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])


SCREEN = to_xyz((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
WIDER = {
    P3: to_xyz((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    9: to_xyz((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
}
"""P3 by SMPTE RP 431-2, BT.2020 by its Table 3."""


@pytest.mark.parametrize("primaries", WIDER)
@pytest.mark.parametrize("transfer", [PQ, LINEAR])
@pytest.mark.parametrize("light", [(0.9, 0.1, 0.1), (0.1, 0.8, 0.2), (0.3, 0.2, 0.7)])
def test_light_of_wide_primaries_is_that_of_screens(tmp_path, primaries, transfer, light):
    red, green, blue = np.linalg.solve(WIDER[primaries], SCREEN @ light)
    signals = [pq_signal(each) if transfer == PQ else each for each in (green, blue, red)]
    codes = tuple(round(4095 * signal) for signal in signals)
    path = write_codes(tmp_path / "a.mkv", "gbrp12le", codes, color_trc=transfer, color_primaries=primaries)
    assert np.abs(first_pixel(path) - [pixel_of(each) for each in light]).max() <= 1.5


@pytest.mark.parametrize("primaries", [None, BT709, 9, P3, XYZ])
def test_primaries_of_standard_video_are_left_as_they_are(tmp_path, primaries):
    path = write_codes(tmp_path / "a.mkv", "bgr0", (90, 40, 200, 0), color_primaries=primaries)
    assert first_pixel(path).tolist() == [200, 40, 90]


@pytest.mark.parametrize("primaries", [4, 8, XYZ, 11])
def test_light_in_other_primaries_is_refused(run, tmp_path, primaries):  # noqa: F811
    path = write_codes(tmp_path / "a.mkv", "gbrp10le", (99, 99, 99), color_trc=PQ, color_primaries=primaries)
    said = f"light in primaries that are not converted (number {primaries} of ITU-T H.273)"
    assert_refused(run("simulate", path, tmp_path / "a.npz"), said, "--transfer sdr")
    assert first_pixel(path, transfer="sdr").tolist() == [25, 25, 25]


def test_untagged_wide_video_is_bt2020(tmp_path):
    path = write_flat(tmp_path / "a.mkv", (100, 10, -20), bits=10, transfer=HLG)
    (clip,) = open_clips([path])
    assert clip.index.colours == Colours("bt2020", "hlg", True)
    assert clip.fingerprint().items() >= {"matrix": "bt2020", "transfer": "hlg", "wide": True}.items()


def test_a_transfer_may_be_said(tmp_path):
    tagged = write_flat(tmp_path / "a.mkv", (150, 0, 0), bits=10, transfer=HLG, matrix=BT2020)
    plain = write_flat(tmp_path / "b.mkv", (150, 0, 0), bits=10, matrix=BT2020)
    assert np.abs(first_pixel(tagged, transfer="sdr") - 150).max() <= 1
    assert np.array_equal(first_pixel(plain, transfer="hlg"), first_pixel(tagged))
    assert np.abs(first_pixel(tagged) - 150).max() > 20


def test_a_transfer_that_is_not_converted_is_refused(run, tmp_path):  # noqa: F811
    path = write_flat(tmp_path / "a.mkv", (100, 0, 0), bits=10, transfer=LOG)
    assert_refused(run("build", path, "--out", tmp_path / "out"), "transfer that is not converted (LOG)", "--transfer")
    assert np.abs(first_pixel(path, transfer="sdr") - 100).max() <= 1


# What is recorded


def test_only_what_is_read_otherwise_than_before_is_another_clip(tmp_path):
    tagged = write_flat(tmp_path / "a.mkv", (100, 0, 0), HD, matrix=BT709)
    small = write_flat(tmp_path / "b.mkv", (100, 0, 0), SD)
    large = write_flat(tmp_path / "c.mkv", (100, 0, 0), HD)
    names = {"matrix", "transfer", "wide", "scaled", "limited", "p3"}
    plain, *others = (
        open_clips([path], reading=Reading(**reading))[0].fingerprint()
        for path, reading in (
            (tagged, {}), (small, {}), (large, {}), (large, {"matrix": "bt601"}), (tagged, {"matrix": "bt709"})
        )
    )  # fmt: skip
    assert not names & plain.keys()
    assert not names & others[0].keys()
    assert [other.get("matrix") for other in others[1:]] == ["bt709", "bt601", "bt709"]


HDR = {"transfer": "pq"}
WIDE = HDR | {"wide": True}


@pytest.mark.parametrize(
    ("pixels", "tags", "recorded"),
    [
        ("gray", {"color_range": FULL}, {}),
        ("gray", {"color_range": LIMITED}, {"scaled": True}),
        ("gray10le", {}, {"scaled": True}),
        ("yuv444p", {"color_range": FULL}, {}),
        ("yuv444p", {"color_primaries": P3}, {}),
        ("yuv444p10le", {"color_range": LIMITED}, {}),
        ("yuv444p10le", {"color_range": FULL}, {"scaled": True}),
        ("yuv444p10le", {"color_range": LIMITED, "color_trc": PQ, "colorspace": BT2020}, WIDE),
        ("yuv444p10le", {"color_range": FULL, "color_trc": PQ, "colorspace": BT2020}, WIDE | {"scaled": True}),
        ("yuv444p10le", {"color_trc": PQ, "colorspace": BT2020, "color_primaries": BT709}, HDR),
        ("yuv444p10le", {"color_trc": PQ, "colorspace": BT2020, "color_primaries": P3}, HDR | {"p3": True}),
        ("yuv422p10le", {"color_trc": PQ, "colorspace": BT2020}, WIDE),
        ("yuv420p10le", {"color_trc": PQ, "colorspace": BT2020}, WIDE | {"shared": True}),
        ("yuv420p", {"color_trc": HLG, "colorspace": BT2020}, WIDE | {"transfer": "hlg", "shared": True}),
        ("yuv420p10le", {}, {}),
        ("yuv444p10le", {"color_trc": LINEAR}, {"transfer": "linear"}),
        ("yuv444p10le", {"color_trc": LINEAR, "color_primaries": 9}, {"transfer": "linear", "wide": True}),
        ("bgr0", {}, {}),
        ("bgr0", {"color_range": LIMITED}, {"scaled": True, "limited": True}),
        ("gbrp10le", {"color_trc": PQ}, WIDE | {"scaled": True}),
        ("gbrp10le", {"color_trc": PQ, "color_range": LIMITED}, WIDE | {"scaled": True, "limited": True}),
    ],
)
def test_how_values_are_taken_is_recorded_where_it_is_new(tmp_path, pixels, tags, recorded):
    codes = {"gray": (99,), "gray10le": (99,), "bgr0": (99, 99, 99, 0)}.get(pixels, (99, 130, 130))
    (clip,) = open_clips([write_codes(tmp_path / "a.mkv", pixels, codes, **tags)])
    assert clip.index.colours.record() == recorded
    assert clip.fingerprint().items() >= recorded.items()


@pytest.mark.parametrize("pixels", ["gbrp10le", "gray"])
def test_a_matrix_is_not_recorded_of_what_has_none(tmp_path, pixels):
    path = write_codes(tmp_path / "a.mkv", pixels, (99,) * (1 if pixels == "gray" else 3))
    plain, said = (open_clips([path], reading=Reading(matrix=matrix))[0] for matrix in ("auto", "bt709"))
    assert said.fingerprint() == plain.fingerprint()
    assert np.array_equal(everything(said), everything(plain))


def test_a_build_follows_what_is_said(run, tmp_path):  # noqa: F811
    path = write_video(tmp_path / "a.mp4")
    build = ("build", path, "--out", tmp_path / "out", "--preset", "ideal", "--interp", "linear", "--workers", 1)
    assert run(*build).code == 0
    assert "1 kept" in run(*build).err
    assert_refused(run(*build, "--matrix", "bt709"), "--overwrite")
    assert run(*build, "--matrix", "bt709", "--overwrite").code == 0


@pytest.mark.parametrize("wrong", [{"matrix": "bt470"}, {"transfer": "gamma"}, {"interlacing": "keep"}, {"pixels": 1}])
def test_readings_there_are_not_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(InvalidValueError, match=f"^{name} must be one of"):
        Reading(**wrong)


def test_an_image_of_another_kind_is_refused():
    with pytest.raises(InvalidValueError, match="image must be"):
        to_rgb(np.zeros((4, 4, 3), np.uint8))


# Lines and pixels


def write_interlaced(path: Path) -> Path:
    return write_video(path, options={"x264-params": "tff=1"})


def test_interlaced_video_is_refused_or_taken_as_it_is(run, tmp_path):  # noqa: F811
    path = write_interlaced(tmp_path / "a.mp4")
    assert_refused(
        run("simulate", path, tmp_path / "a.npz"), "a.mp4 is interlaced; make it progressive", "--interlacing"
    )
    (clip,) = open_clips([path], reading=Reading(interlacing="ignore"))
    with av.open(str(path)) as container:
        expected = [to_rgb(image) for image in container.decode(video=0)]
    assert np.array_equal(everything(clip), expected)


def test_video_that_becomes_interlaced_is_refused_at_that_frame(tmp_path):
    parts = [write_video(tmp_path / "a.h264"), write_video(tmp_path / "b.h264", options={"x264-params": "tff=1"})]
    (tmp_path / "c.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    (clip,) = open_clips([tmp_path / "c.h264"])
    with pytest.raises(InputFileError, match=r"c\.h264 is interlaced from frame 40 on; make it progressive"):
        everything(clip)
    (clip,) = open_clips([tmp_path / "c.h264"], reading=Reading(interlacing="ignore"))
    assert len(everything(clip)) == 80


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"), [("mov", "mjpeg", "yuvj420p"), ("mov", "png", "rgb24"), ("mkv", "ffv1", "yuv420p")]
)
@pytest.mark.parametrize(("order", "interlaced"), [("tt", True), ("bb", True), ("progressive", False)])
def test_video_is_interlaced_where_its_container_alone_says_so(tmp_path, suffix, codec, pixels, order, interlaced):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"field_order": order})
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        container.mux([*stream.encode(image.reformat(format=pixels)), *stream.encode()])
    with av.open(str(path)) as container:
        assert not next(container.decode(video=0)).interlaced_frame
    if interlaced:
        with pytest.raises(InputFileError, match="is interlaced; make it progressive"):
            open_clips([path])
    (clip,) = open_clips([path], reading=Reading(interlacing="ignore" if interlaced else "refuse"))
    assert len(everything(clip)) == 1


def test_pixels_that_are_no_squares_are_refused_or_taken_as_squares(tmp_path):
    def write(path: Path, shape: Fraction) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            stream.codec_context.sample_aspect_ratio = shape
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            container.mux([*stream.encode(image), *stream.encode()])
        return path

    assert len(open_clips([write(tmp_path / "square.mp4", Fraction(1))])) == 1
    wide = write(tmp_path / "wide.mp4", Fraction(4, 3))
    with pytest.raises(
        InputFileError, match=r"wide\.mp4 has pixels to be shown 1\.333 times as wide as high; scale it"
    ):
        open_clips([wide])
    (clip,) = open_clips([wide], reading=Reading(pixels="ignore"))
    assert (clip.height, clip.width) == (48, 64)
