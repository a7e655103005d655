"""Whether a raw frame continues the one before it: scene cuts, and motion too fast to be followed.

Interpolation makes something of any two frames: across a cut a mixture of two scenes, and where motion is too fast two
faint copies of what moves.
"""

from math import ceil

import cv2
import numpy as np

from spikesim_datasets.image_checks import require_image
from spikesim_datasets.opencv import without_ipp
from spikesim_datasets.shards.diagnostics import Diagnostics

CUT, FAST = 0.5, 0.15
"""From which `unexplained` part on a frame begins a new scene, or moved too fast."""

_SIZE = 160, 96  # width and height to compare frames at: enough for what is where, and quick
_SCALE, _STRIDE, _DESCENTS = 1, 3, 16  # flow is found at half that size
_GRID = np.dstack(np.meshgrid(*(np.arange(length, dtype=np.float32) for length in _SIZE)))


class Continuity:
    """Looks at raw frames as they come.

    Args:
        diagnostics: Where to note what is found.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._previous: tuple[int, np.ndarray] | None = None

    def look(self, number: int, frame: np.ndarray, time: float | None = None) -> None:
        """Compare a raw frame, RGB uint8 (H,W,3), with its neighbour if that was the last one seen.

        Args:
            number: Of the frame.
            frame: The frame.
            time: When it is seen, in raw frames; None where that is its number. It is noted by the first raw frame from
                then on.
        """
        small = _small(frame)
        if self._previous is not None and self._previous[0] == number - 1:
            noted = number if time is None else ceil(time)
            part = _unexplained(self._previous[1], small)
            if part >= CUT:
                self._diagnostics.cuts.append(noted)
            elif part >= FAST:
                self._diagnostics.fast.append(noted)
        self._previous = number, small


def unexplained(frame0: np.ndarray, frame1: np.ndarray) -> float:
    """The part of the contrast of frame 0 that following the motion to frame 1 does not explain, ≥ 0.

        mean |f0 − f1(x + v)| / (mean |f0| + 1),   f of 160×96 grey pixels, less their mean, v their optical flow.

    Args:
        frame0, frame1: RGB uint8 (H,W,3).

    Raises:
        InvalidValueError: One is no such frame.
    """
    return _unexplained(_small(require_image(frame0, "frame0")), _small(require_image(frame1, "frame1")))


def _small(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _unexplained(grey0: np.ndarray, grey1: np.ndarray) -> float:
    moved = cv2.remap(
        grey1, _GRID + optical_flow(grey0, grey1), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )  # type: ignore[call-overload]
    before, after = (grey - grey.mean(dtype=np.float32) for grey in (grey0, moved))
    return float(np.abs(before - after).mean() / (np.abs(before).mean() + 1))


def optical_flow(grey0: np.ndarray, grey1: np.ndarray) -> np.ndarray:
    """Estimate the motion from one frame to the next by OpenCV's dense inverse search.

    The bits are the same on any number of threads (OpenCV cuts DIS into eight stripes whatever their number) and, as
    neither Intel IPP nor the variational refinement takes part, on processors with other vector instructions.

    Args:
        grey0: Frame, uint8 (H,W), both sides at least 16 pixels.
        grey1: The next one, of the same size.

    Returns:
        Flow, float32 (H,W,2): pixel (x, y) of `grey0` is at (x, y) + flow[y, x] in `grey1`, pixels.

    Source:
        Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    """
    # A new object each time: it keeps buffers, and no call may depend on the one before.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setVariationalRefinementIterations(0)
    dis.setGradientDescentIterations(_DESCENTS)
    dis.setFinestScale(_SCALE)
    dis.setPatchStride(_STRIDE)
    with without_ipp():
        return dis.calc(grey0, grey1, None)  # type: ignore[call-overload]  # the stubs know no call without initial flow
