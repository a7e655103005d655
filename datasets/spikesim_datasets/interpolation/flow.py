"""Motion-compensated interpolation with dense inverse search (DIS) optical flow; needs no weights.

Flow is estimated once a pair, in both directions and twice: the fine flow follows detail in the grey frames; the coarse
one is steadier, and as it is found in the steepness of the frames, which light changes little, it errs elsewhere. Eight
neighbouring pixels of a row form a group, and each group of a frame between thus has four motions. Where all are nearly
one, or where the samples to which their mean leads in the two frames agree, the mean stands for them. Elsewhere there
are eight candidates: the fine motions at the group, the coarse ones at the place in their own frame from which they
lead to it, as flow reversal does, and the fine ones taken likewise for two groups beside it. Each is followed from
every pixel to both frames, and the two samples are averaged, the nearer frame's counting for more and one that lies
outside its frame not at all. The results are averaged, those of motions whose two samples agree along a piece of the
row counting for more: a prediction from several hypotheses, the mean of which errs less than the best that one can
choose. Samples keep fine detail, which linear ones blur, but not of what moves fast, whose place is known less sharply;
see `spikesim_datasets.kernels.sampling`.

Measured on three 720p clips (PSNR at t = 1/2), less or nothing for their cost: one motion a pixel, chosen or averaged
by photometric error; weights by the error of a single pixel, by windows of two dimensions, by higher powers of the
error, by forward-backward consistency, or learned from all of these; splatting; median and Gaussian filters on the
flow; the variational refinement; motion zero as a candidate, or some of a fade mixed in; larger patches; a third flow
at an eighth of the size; smoothing by how much the motions differ; groups of sixteen; a motion for each pixel, which
takes three times as long to blend (0.01 dB). Slightly more, but not built: a third flow in red minus blue (0.02 dB, two
candidates more), and smoothing by speed and by how much the two frames disagree (0.01 dB).

Flow for its own sake, which datasets keep, is the fine one with two changes. On 26 pairs of rendered 720p frames that
move by 4.1 px, its mean distance to exact flow is 0.68 px: with a third step 0.75, without the median 0.76, with
neither 0.84. The coarse flow errs by 1.22, the mean of both by 0.92, and with the changes a search at full size by 0.65
for four times the cost.

Source:
    Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    Sullivan and Orchard, "Overlapped Block Motion Compensation: An Estimation-Theoretic Approach", IEEE Trans. Image
    Processing 3(5), 1994 (why the mean over uncertain motions is the better prediction).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from spikesim.errors import InvalidValueError
from spikesim.kernels.groups import GROUP
from spikesim.threads import run_on_rows
from spikesim_datasets.interpolation.base import check_request, checked_frames
from spikesim_datasets.kernels import blending, sampling, search
from spikesim_datasets.kernels.sampling import SUBPIXELS
from spikesim_datasets.opencv import without_ipp

MIN_SIDE = 16
"""Shortest side of a frame, pixels: that of two patches."""

_AGREEMENT = 4.0
"""Mean absolute difference of its two samples, in grey levels of 255, at which a motion's weight is halved; under it
the mean motion is trusted. The mean is that of three groups; at one pixel, wrong motions agree by chance."""

_SWIFT, _BLUR = 24.0, 1.4
"""Motion beyond which frames are sampled smoothed, and the sigma of the Gaussian that smooths them, pixels."""

_FINE, _COARSE = 1, 2
"""Scales of the two flows: one is found in frames made 2 times smaller, the other in 4 times smaller ones."""

_STRIDE, _STEPS, _GAIN = 5, 3, 0.5
"""How patches are searched for, see `kernels.search.refine`; a stride of 4 takes a third longer for 0.02 dB."""

_STEPS_KEPT = 2
"""Steps for flow that is kept: fewer stray less where there is little to see."""

_SMALLEST = 46
"""Flow begins at the largest size whose longer side is under this, pixels: what is far is near there."""

_TOGETHER = 8
"""Frames made in one pass over the rows, while what they sample lies in the cache; no more, for they lie in memory."""


class FlowInterpolator:
    """Follows the motion between two frames; see the module for the method. Up to eight frames are made at once."""

    name = "flow"
    dense = False
    _last: "_Prepared | None" = None  # of the latest frame 1, mostly the next pair's frame 0

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {
            "name": self.name,
            "version": 4,
            "estimator": "DIS in grey and in steepness",
            "scales": [_FINE, _COARSE],
            "search": [_STRIDE, _STEPS, _GAIN],
            "group": GROUP,
            "agreement": _AGREEMENT,
            "swift": _SWIFT,
            "blur": _BLUR,
            "opencv": cv2.__version__,
        }

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`; frames with a side under `MIN_SIDE` raise `InvalidValueError` as well."""
        check_request(frame0, frame1, times)
        _check_size(*frame0.shape[:2])
        return self._frames(np.ascontiguousarray(frame0), np.ascontiguousarray(frame1), times)

    def flow(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """See `MotionInterpolator.flow`; frames with a side under `MIN_SIDE` raise `InvalidValueError` as well.

        It is the fine flow by a shorter search, of every second of its pixels to the right and down, smoothed by a
        median of 5×5 of them and rounded to 1/32 px: one motion for each block of 4×4 pixels of the frame.
        """
        frames = checked_frames(frames)
        height, width, _ = frames[0].shape
        _check_size(height, width)
        fine = [optical_flow(first, second, _STEPS_KEPT) for first, second in pairwise(map(_fine, frames))]
        _, rows, columns = fine[0].shape
        # At full size, conversion to half precision alone would take as long as the search.
        blocks = np.stack([_blocks(flow, height, width) for flow in fine])
        return blocks.take(np.arange(width) * columns // (2 * width), axis=2).take(
            np.arange(height) * rows // (2 * height), axis=1
        )

    def _frames(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        if not len(times):
            return
        first, second = (self._prepared(frame) for frame in (frame0, frame1))
        height, width, _ = frame0.shape
        motions = blending.join_flows(*_flows(first, second, height * width), height, width)
        for begin in range(0, len(times), _TOGETHER):
            some = times[begin : begin + _TOGETHER]
            frames = tuple(np.empty_like(frame0) for _ in range(_TOGETHER))
            run_on_rows(
                blending.motion_blend,
                height,
                width * len(some),
                first.coefficients,
                second.coefficients,
                motions,
                np.array(some, np.float32),
                np.float32(_AGREEMENT),
                np.float32(_SWIFT),
                frames,
            )
            yield from frames[: len(some)]

    def _prepared(self, frame: np.ndarray) -> "_Prepared":
        """What is made of a frame, kept until the next one, compared by its pixels."""
        last = self._last
        if last is None or not np.array_equal(last.frame, frame):
            self._last = last = _prepare(frame)
        return last


@dataclass(frozen=True)
class _Prepared:
    """A frame, what flow is found in, and what is sampled."""

    frame: np.ndarray
    grey: tuple[np.ndarray, ...]
    edges: tuple[np.ndarray, ...]
    coefficients: np.ndarray


def _prepare(frame: np.ndarray) -> _Prepared:
    with without_ipp():
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        edges = edge_strength(grey)
        smooth = cv2.GaussianBlur(frame, (0, 0), _BLUR)
        sizes = pyramid(_reduced(grey, 1 << _FINE)), pyramid(_reduced(edges, 1 << _COARSE))
    return _Prepared(frame.copy(), *sizes, coefficients=sampling.coefficients(frame, smooth))


def _check_size(height: int, width: int) -> None:
    if min(height, width) < MIN_SIDE:
        raise InvalidValueError(
            f"optical flow needs frames of at least {MIN_SIDE}×{MIN_SIDE} pixels, got {height}×{width}; "
            "use the interpolator 'linear' for smaller ones"
        )


def _fine(frame: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the fine flow of a frame is found in."""
    with without_ipp():
        return pyramid(_reduced(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), 1 << _FINE))


def pyramid(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """What `optical_flow` takes of a grey frame, uint8 (H,W), of at least `MIN_SIDE`: its `slopes` at all sizes."""
    images = [image]
    while max(images[-1].shape) >= _SMALLEST and min(images[-1].shape) >= 2 * GROUP:
        images.append(_reduced(images[-1], 2, GROUP))
    return tuple(search.slopes(image) for image in images)


def _reduced(image: np.ndarray, times: int, least: int = MIN_SIDE) -> np.ndarray:
    """An image so many times smaller, but no side under the least."""
    height, width = (max(side // times, least) for side in image.shape)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _flows(first: _Prepared, second: _Prepared, size: int) -> list[np.ndarray]:
    """The fine flow ahead and back, and the coarse one ahead and back, between frames of so many pixels."""
    # The order in which two threads have as much to do: a fine one and a coarse one each.
    pairs = (
        (first.grey, second.grey),
        (first.edges, second.edges),
        (second.grey, first.grey),
        (second.edges, first.edges),
    )
    flows = [np.empty(0, np.float32)] * len(pairs)

    def estimate(start: int, stop: int) -> None:
        for i in range(start, stop):
            flows[i] = optical_flow(*pairs[i])

    run_on_rows(estimate, len(pairs), size)
    return [flows[i] for i in (0, 2, 1, 3)]


def _blocks(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """Flow float32 (2,h,w) as motions of blocks of 2×2 of its pixels, float16 (h',w',2) in pixels of the frames."""
    _, rows, columns = flow.shape
    scales = np.float32(SUBPIXELS * width / columns), np.float32(SUBPIXELS * height / rows)
    with without_ipp():
        parts = [cv2.medianBlur(scale * part[::2, ::2], 5) for scale, part in zip(scales, flow, strict=True)]
    return (np.rint(np.dstack(parts)) / SUBPIXELS).astype(np.float16)


def edge_strength(grey: np.ndarray) -> np.ndarray:
    """Return how steep a uint8 (H,W) frame is, uint8 (H,W): (|dx| + |dy|)/2 of Sobel's filter, cut at 255 each."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    across, down = (cv2.convertScaleAbs(cv2.Sobel(smooth, cv2.CV_16S, *axis)) for axis in ((1, 0), (0, 1)))
    return cv2.addWeighted(across, 0.5, down, 0.5, 0)


def optical_flow(first: Sequence[np.ndarray], second: Sequence[np.ndarray], steps: int = _STEPS) -> np.ndarray:
    """Estimate the motion from one frame to another by dense inverse search.

    Args:
        first, second: What `pyramid` gives of frames of one size.
        steps: Of descent, see `kernels.search.refine`.

    Returns:
        Flow, float32 (2,H,W): pixel (x, y) of the first is at (x + flow[0, y, x], y + flow[1, y, x]) in the second.

    Source:
        Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    """
    flow = np.zeros((2, 1, 1), np.float32)
    for one, other in zip(reversed(first), reversed(second), strict=True):
        flow = search.refine(one, other, flow, _STRIDE, steps, np.float32(_GAIN))
    return flow
