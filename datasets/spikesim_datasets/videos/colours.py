"""What the colours of a video mean: by which matrix they are coded, and how its values become light.

Frames hold what screens are given, 8 bits of about the power 1/2.2 of light, which is what the light model decodes.
Values of standard video are taken as they are. Those of high dynamic range become light first:

    PQ:   L = 10000/203 · [max(E^(1/m₂) − c₁, 0) / (c₂ − c₃·E^(1/m₂))]^(1/m₁)
    HLG:  L = s(E)/s(3/4),   s(E) = E²/3 up to E = 1/2, then (e^((E − c)/a) + b)/12
    v = 255·min(L, 1)^(1/2.2),   L in the primaries of BT.709

so that diffuse white, which is 203 cd/m² or 75 %, is full scale, and what is brighter is clipped. Primaries of standard
video are left as they are.

Source:
    PQ: SMPTE ST 2084; HLG: ITU-R BT.2100-2, Table 5, the light of the scene; diffuse white: ITU-R BT.2408-7, 2.2;
    primaries: ITU-R BT.2087-0, 4; those of P3 with the white of BT.709: SMPTE EG 432-1.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from spikesim.checks import require_instance
from spikesim.errors import InputFileError

Matrix = Literal["auto", "bt601", "bt709", "bt2020"]
Transfer = Literal["auto", "sdr", "pq", "hlg", "linear"]

_MATRICES = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}
_UNTAGGED = 2
_NUMBERS = {"bt709": (1,), "bt601": (5, 6), "bt2020": (9,), "fcc": (4,), "smpte240m": (7,)}
"""FFmpeg's numbers of matrices, by what they are called."""
_CONVERTED = {number for numbers in _NUMBERS.values() for number in numbers}
_HD = 1280, 576  # columns, and rows to more than which, from where on players take untagged video as BT.709

_SDR = {
    *(ColorTrc.BT709, ColorTrc.UNSPECIFIED, ColorTrc.GAMMA22, ColorTrc.GAMMA28, ColorTrc.SMPTE170M),
    *(ColorTrc.SMPTE240M, ColorTrc.IEC61966_2_4, ColorTrc.BT1361_ECG, ColorTrc.IEC61966_2_1),
    *(ColorTrc.BT2020_10, ColorTrc.BT2020_12),
}
_TRANSFERS = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg", ColorTrc.LINEAR: "linear"}

_BT2020_TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_P3_TO_BT709 = ((1.2249, -0.2249, 0.0), (-0.0421, 1.0421, 0.0), (-0.0196, -0.0786, 1.0983))
_WIDE, _P3 = ColorPrimaries.BT2020, ColorPrimaries.SMPTE432
_ABOUT_BT709 = {
    *(ColorPrimaries.BT709, ColorPrimaries.BT470BG, ColorPrimaries.SMPTE170M),
    *(ColorPrimaries.SMPTE240M, ColorPrimaries.EBU3213),
}
_DIFFUSE_WHITE, _HLG_WHITE = 203.0, 0.75
_PLAIN = 0, 255 << 8  # black and white of 8 bits in 16, and of any luma of limited range, which FFmpeg scales itself

# By itself FFmpeg drops fractions, which makes images a level of 255 darker, gives two neighbours one colour, and
# leaves the last bits to the processor.
_CONVERSION = (
    Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
)


@dataclass(frozen=True)
class Colours:
    """How the values of a video become those of frames.

    Attributes:
        matrix: By which it is coded: `bt601`, `bt709` or `bt2020`; `auto` as each image says.
        transfer: `sdr`, whose values are kept, or `pq`, `hlg` or `linear`, which become light.
        wide: Whether light has the primaries of BT.2020.
        scaled: Whether another value than that of limited range is black or white, to which earlier versions did not
            scale. It is followed image by image, and recorded here.
        limited: Whether it is RGB of limited range, which earlier versions took as full. Likewise.
        p3: Whether light has the primaries of P3, which earlier versions took for those of BT.709.
        shared: Whether it becomes light and two rows share chroma, of which earlier versions lost channels.
    """

    matrix: Matrix = "auto"
    transfer: Transfer = "sdr"
    wide: bool = False
    scaled: bool = False
    limited: bool = False
    p3: bool = False
    shared: bool = False

    def record(self) -> dict[str, object]:
        """What tells them from those of earlier versions, which took every video as its images said, and as SDR."""
        return {name: value for name, value in vars(self).items() if value != getattr(Colours, name)}


AS_CODED = Colours()
"""Those of standard video that says what it is."""


@dataclass(frozen=True)
class ColourTags:
    """What a video says of its colours, before anything is said otherwise or refused.

    Attributes:
        matrix: By which it is coded, "none" of RGB and grey.
        transfer: What its values mean, and what that is taken for.
        range: "full" where values fill all bits, else "limited".
        assumed: Names of those of the three that it does not say.
    """

    matrix: str
    transfer: str
    range: str
    assumed: tuple[str, ...]


def tags_of(image: av.VideoFrame) -> ColourTags:
    """What a decoded image says of its colours; where it says nothing, what players and `colours_of` assume."""
    trc, space = image.color_trc, image.colorspace
    taken = _TRANSFERS.get(trc, "sdr" if trc in _SDR else "not converted")  # type: ignore[call-overload]
    matrix, transfer = "none", taken
    if _has_matrix(image):
        known = {number: name for name, numbers in _NUMBERS.items() for number in numbers}
        matrix = known.get(space, f"number {space} of ITU-T H.273")
        if space == _UNTAGGED:
            matrix = _assumed_matrix(image, taken)
    if trc != ColorTrc.UNSPECIFIED:
        transfer = f"{_trc_name(trc).lower()} ({taken})"
    told = {
        "matrix": not _has_matrix(image) or space != _UNTAGGED,
        "transfer": trc != ColorTrc.UNSPECIFIED,
        "range": image.format.is_rgb
        or image.color_range in (ColorRange.JPEG, ColorRange.MPEG)
        or not _is_limited(image),
    }
    assumed = tuple(name for name, said in told.items() if not said)
    return ColourTags(matrix, transfer, "limited" if _is_limited(image) else "full", assumed)


def colours_of(image: av.VideoFrame, matrix: Matrix, transfer: Transfer, what: str) -> Colours:
    """What the colours of a video mean, by what its first image says; where it says nothing, by what players do.

    Args:
        image: A decoded image.
        matrix: Another than it says, or `auto`: then untagged video of at least 1280 columns or more than 576 rows
            is BT.709, smaller BT.601.
        transfer: Another than it says, or `auto`: then untagged video is `sdr`.
        what: The video, for the message.

    Raises:
        InputFileError: It cannot be converted.
    """
    if transfer == "auto":
        trc = image.color_trc
        if trc not in _SDR and trc not in _TRANSFERS:
            raise InputFileError(
                f"{what} has a transfer that is not converted ({_trc_name(trc)}); "
                "convert it, or say what to take it for with --transfer sdr, pq, hlg or linear"
            )
        transfer = _TRANSFERS.get(trc, "sdr")  # type: ignore[call-overload]
    if not _has_matrix(image):
        matrix = "auto"
    elif matrix == "auto":
        if image.colorspace == _UNTAGGED:
            assumed = _assumed_matrix(image, transfer)
            matrix = "auto" if assumed == "bt601" else assumed  # which is what FFmpeg takes then
        elif image.colorspace not in _CONVERTED:
            raise InputFileError(
                f"{what} is coded by a matrix that is not converted (number {image.colorspace} of ITU-T H.273); "
                "convert it, or say what to take it for with --matrix bt601, bt709 or bt2020"
            )
    primaries = _primaries(image, transfer, what)
    limited = image.format.is_rgb and _is_limited(image)
    shared = transfer != "sdr" and _has_matrix(image) and image.format.chroma_height(2) < 2
    return Colours(matrix, transfer, primaries == _WIDE, _ends(image) != _PLAIN, limited, primaries == _P3, shared)


def _has_matrix(image: av.VideoFrame) -> bool:
    """Whether it is neither RGB nor grey."""
    return not image.format.is_rgb and not _is_grey(image)


def _is_grey(image: av.VideoFrame) -> bool:
    return len(image.format.components) <= 2  # the second is how opaque it is


def _is_limited(image: av.VideoFrame) -> bool:
    """Whether its values leave room below black and above white. RGB and grey do if they say so, others unless."""
    if _has_matrix(image):
        return image.color_range != ColorRange.JPEG and not image.format.name.startswith("yuvj")
    return image.color_range == ColorRange.MPEG


def _primaries(image: av.VideoFrame, transfer: str, what: str) -> int:
    """Those of its light: of BT.2020, of P3, or about those of BT.709, as which values that are kept are taken."""
    said = image.color_primaries
    if said == ColorPrimaries.UNSPECIFIED and transfer in ("pq", "hlg"):
        return _WIDE
    if transfer == "sdr" or said == ColorPrimaries.UNSPECIFIED or said in _ABOUT_BT709:
        return ColorPrimaries.BT709
    if said not in (_WIDE, _P3):
        raise InputFileError(
            f"{what} has light in primaries that are not converted (number {said} of ITU-T H.273); convert it to those "
            "of BT.709, BT.2020 or P3 (number 12), or take its values as they are with --transfer sdr"
        )
    return said


def _assumed_matrix(image: av.VideoFrame, transfer: str) -> Matrix:
    if transfer in ("pq", "hlg"):
        return "bt2020"
    return "bt709" if image.width >= _HD[0] or image.height > _HD[1] else "bt601"


def _trc_name(trc: int) -> str:
    return ColorTrc(trc).name if trc in set(ColorTrc) else str(trc)


def to_rgb(image: av.VideoFrame, colours: Colours = AS_CODED) -> np.ndarray:
    """The colours of a decoded image, uint8 (H,W,3), rounded, on every processor alike.

    Raises:
        InvalidValueError: An argument has another type.
    """
    require_instance(image, "image", av.VideoFrame)
    require_instance(colours, "colours", Colours)
    matrix = _MATRICES.get(colours.matrix)
    black, white = _ends(image)
    # FFmpeg takes RGB and grey of limited range as full, and is up to a level off where white is not 255 of 8 bits.
    if colours.transfer == "sdr" and (black, white) == _PLAIN:
        return image.to_ndarray(format="rgb24", interpolation=_CONVERSION, src_colorspace=matrix)
    values: np.ndarray
    if _is_limited(image) and image.format.is_rgb and image.format.components[0].bits <= 8:
        # To 16 bits FFmpeg would bring it through YCbCr, which costs a fifth of a level.
        values = image.to_ndarray(format="rgb24", interpolation=_CONVERSION).astype(np.uint16) << 8
    else:
        # In planes, for where rows share chroma FFmpeg sets channels of interleaved RGB to zero.
        kind = "gbrp16le" if _has_matrix(image) else "rgb48le"
        values = image.to_ndarray(format=kind, interpolation=_CONVERSION, src_colorspace=matrix)
    if colours.transfer == "sdr":
        return _levels(black, white)[values]
    light = _light(colours.transfer, black, white)[values]
    if colours.wide or colours.p3:
        red, green, blue = (light[..., channel] for channel in range(3))
        rows = np.array(_BT2020_TO_BT709 if colours.wide else _P3_TO_BT709, np.float32)
        light = np.stack([a * red + b * green + c * blue for a, b, c in rows], axis=-1)
    return np.searchsorted(_steps(), light, side="right").astype(np.uint8)


def _ends(image: av.VideoFrame) -> tuple[int, int]:
    """What FFmpeg makes of black and white in 16 bits: it repeats bits of RGB, and adds zeros to others."""
    limited = _is_limited(image)
    if limited and _has_matrix(image):
        return _PLAIN
    bits = min(max(image.format.components[0].bits, 8), 16)  # fewer are made 8, and floats 16
    black, white = (16 << (bits - 8), 235 << (bits - 8)) if limited else (0, (1 << bits) - 1)
    repeated = 2 * bits - 16 if image.format.is_rgb and bits > 8 else bits
    return black << (16 - bits) | black >> repeated, white << (16 - bits) | white >> repeated


def _signal(black: int, white: int) -> np.ndarray:
    """The signal of every value of 16 bits, 0 to 1."""
    return np.clip((np.arange(1 << 16) - black) / (white - black), 0, 1)


@lru_cache(maxsize=4)
def _levels(black: int, white: int) -> np.ndarray:
    """The nearest of 8 bits of every value of 16."""
    return np.rint(255 * _signal(black, white)).astype(np.uint8)


@lru_cache(maxsize=4)
def _light(transfer: Transfer, black: int, white: int) -> np.ndarray:
    """Light of every value of 16 bits, float32; diffuse white is 1."""
    values = _signal(black, white)
    if transfer == "linear":
        return values.astype(np.float32)
    if transfer == "hlg":
        return (_hlg(values) / _hlg(np.array(_HLG_WHITE))).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = values ** (1 / m2)
    light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (light / _DIFFUSE_WHITE).astype(np.float32)


def _hlg(values: np.ndarray) -> np.ndarray:
    """Light of the scene, 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)


@lru_cache(maxsize=1)
def _steps() -> np.ndarray:
    """The light from which on each value of 8 bits but 0 is the nearest."""
    return (((np.arange(255) + 0.5) / 255) ** 2.2).astype(np.float32)
