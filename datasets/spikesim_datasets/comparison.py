"""How well interpolators do on one's own video: frames are left out, made from their neighbours, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from spikesim.checks import require_instance, require_list, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.continuity import CUT, unexplained
from spikesim_datasets.interpolation import Interpolator, InterpolatorSpec
from spikesim_datasets.interpolation.base import require_interpolator
from spikesim_datasets.interpolation.kinds import find_kind
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.sources import Clip
from spikesim_datasets.sources.clip import require_clip

FIRST, EVERY, MOST = 20, 14, 25
"""Triples begin at this frame, then at every so-manyth, less often in clips that would have more than the most."""

_BEST = 100.0  # dB, of equal frames
_WINDOW, _SIGMA = 11, 1.5  # pixels
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class InterpolatorScore:
    """How well one interpolator does on a clip.

    Attributes:
        interpolator: Its name.
        psnr, least_psnr: Mean over the triples, and that of the worst, dB; equal frames count as 100.
        ssim, least_ssim: The same of the structural similarity, at most 1.
        seconds: What a frame takes alone, the median.
    """

    interpolator: str
    psnr: float
    least_psnr: float
    ssim: float
    least_ssim: float
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """How well interpolators do on a clip.

    Attributes:
        clip, name: Its key, and its name.
        triples: Triples of frames compared.
        cuts: Triples left out because they lie across a scene cut.
        scores: One for each interpolator; none where every triple lies across a cut.
    """

    clip: str
    name: str
    triples: int
    cuts: int
    scores: tuple[InterpolatorScore, ...]


def compare(
    clip: Clip,
    interpolators: Sequence[Interpolator],
    *,
    every: int | None = None,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Make the middle frames of triples of a clip from their neighbours, at t = 1/2, and compare them with the truth.

    That is harder than what an interpolator is wanted for: the neighbours are twice as far apart.

    Args:
        clip: The source.
        interpolators: What to compare.
        every: As for `triples`.
        on_progress: Told of triples.

    Returns:
        How well each of them does.

    Raises:
        InvalidValueError: As for `triples`, an interpolator makes no frames between, or a side is under 11 pixels.
        InputFileError: A frame cannot be read.
    """
    tell = teller(on_progress)
    interpolators = [*map(require_interpolator, require_list(interpolators, "interpolators", "interpolators"))]
    for interpolator in interpolators:
        if interpolator.dense:
            raise InvalidValueError(f"the interpolator {interpolator.name!r} makes no frames to compare; leave it out")
    starts = triples(clip, every)
    measured: list[list[tuple[float, float, float]]] = [[] for _ in interpolators]
    cuts = 0
    tally = Tally([(clip.key, len(starts))], 0, tell)
    for start in starts:
        before, truth, after = clip.frames(start, start + 3)
        if unexplained(before, after) >= CUT:
            cuts += 1
        else:
            for interpolator, results in zip(interpolators, measured, strict=True):
                began = perf_counter()
                (frame,) = interpolator.between(before, after, [0.5])
                seconds = perf_counter() - began
                results.append((psnr(frame, truth), ssim(frame, truth), seconds))
        tally.step(0)
    scores = [
        InterpolatorScore(interpolator.name, fmean(psnrs), min(psnrs), fmean(ssims), min(ssims), median(seconds))
        for interpolator, results in zip(interpolators, measured, strict=True)
        if results
        for psnrs, ssims, seconds in [zip(*results, strict=True)]
    ]
    return Comparison(clip.key, clip.name, len(starts) - cuts, cuts, tuple(scores))


def triples(clip: Clip, every: int | None = None) -> range:
    """The first frames of the triples that `compare` looks at.

    Args:
        clip: The source.
        every: Frames from one triple to the next; None means 14, and more in clips that would have over 25 triples.

    Raises:
        InvalidValueError: The clip has less than three frames, or `every` is less than 1.
    """
    if require_clip(clip).n_frames < 3:
        raise InvalidValueError(f"three frames make a triple to compare, but {clip.key} has {clip.n_frames}")
    if every is not None:
        every = require_whole(every, "every", 1, unit="frames from one triple to the next")
    stop = clip.n_frames - 2
    first = FIRST if stop > FIRST else 0
    return range(first, stop, every or max(EVERY, -(-(stop - first) // MOST)))


def specs_to_compare(names: Sequence[str], **options: Any) -> list[InterpolatorSpec]:
    """The specs of interpolators to compare; options are for those that have a use for them.

    Args:
        names: Of interpolators.
        **options: Further fields of `InterpolatorSpec`. Weights are those of one network; several find theirs by their
            published names.

    Raises:
        InvalidValueError: There are weights and several networks, no interpolator has a use for an option, or as for
            `InterpolatorSpec`.
    """
    names = [require_instance(name, "each of names", str) for name in require_list(names, "names", "names")]
    takers = [name for name in names if find_kind(name).adjustable]
    if options.get("weights") is not None and len(takers) > 1:
        raise InvalidValueError(
            f"weights are those of one network, got {options['weights']} for {', '.join(takers)}; put the files under "
            "their published names into one folder, and name it in $SPIKESIM_WEIGHTS"
        )
    return [InterpolatorSpec(name, **(options if name in takers or not takers else {})) for name in names]


def psnr(frame: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of uint8 frames, dB; 100 at most, which equal ones have."""
    error = cv2.norm(frame, truth, cv2.NORM_L2SQR) / truth.size
    return min(_BEST, float(10 * np.log10(255**2 / error))) if error else _BEST


def ssim(frame: np.ndarray, truth: np.ndarray) -> float:
    """Mean structural similarity of the luma of RGB frames, uint8 (H,W,3), at most 1.

        SSIM = (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2))

    The moments are those of an 11×11 Gaussian window of σ = 1.5; the mean is over all windows that lie in the frame.

    Raises:
        InvalidValueError: A side is under 11 pixels.

    Source:
        Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity",
        IEEE Transactions on Image Processing 13(4), 2004, Eq. 13, with their constants and window.
    """
    height, width, _ = truth.shape
    if min(height, width) < _WINDOW:
        raise InvalidValueError(f"SSIM needs frames of at least {_WINDOW}×{_WINDOW} pixels, got {width}×{height}")
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (frame, truth))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variances = _windowed(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    similarity /= (mean_x**2 + mean_y**2 + _C1) * (variances + _C2)
    return float(similarity.mean())


def _windowed(values: np.ndarray) -> np.ndarray:
    """The weighted mean of every whole window."""
    rim = _WINDOW // 2
    return cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)[rim:-rim, rim:-rim]
