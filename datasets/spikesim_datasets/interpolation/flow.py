"""Motion-compensated interpolation with dense inverse search (DIS) optical flow; needs no weights.

Flow is estimated once a pair, in both directions. Each pixel of a frame between has two candidate motions, the flow
and the reversed backward flow at its place. Each is followed to both frames, and the two results are averaged; where
they differ, the motion whose two samples agree counts for more. Of two samples the nearer frame's counts for more, and
one that lies outside its frame does not count.

Reversing or splatting the flow, choosing one motion by its photometric error and weighting samples by
forward-backward consistency were measured on three 720p clips and gave less or nothing (PSNR at t = 1/2).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np

from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation import kernels
from spikesim_datasets.interpolation.base import check_request

MIN_SIDE = 16
"""Shortest side of a frame, pixels; given less, OpenCV may search pyramid levels smaller than its patch and crash."""

_AGREEMENT = 30.0
"""Mean absolute difference of its two samples, in grey levels of 255, at which a motion's weight is halved."""


class FlowInterpolator:
    """Follows the motion between two frames; see the module for the method."""

    name = "flow"
    dense = False

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {
            "name": self.name,
            "version": 1,
            "estimator": "DIS medium, not refined",
            "agreement": _AGREEMENT,
            "opencv": cv2.__version__,
        }

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`; frames with a side under `MIN_SIDE` raise `InvalidValueError` as well."""
        check_request(frame0, frame1, times)
        height, width, _ = frame0.shape
        if min(height, width) < MIN_SIDE:
            raise InvalidValueError(
                f"optical flow needs frames of at least {MIN_SIDE}×{MIN_SIDE} pixels, got {height}×{width}; "
                "use the interpolator 'linear' for smaller ones"
            )
        return self._frames(np.ascontiguousarray(frame0), np.ascontiguousarray(frame1), times)

    def _frames(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        if not len(times):
            return
        grey0, grey1 = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (frame0, frame1))
        flow01, flow10 = optical_flow(grey0, grey1), optical_flow(grey1, grey0)
        packed0, packed1 = kernels.pack(frame0), kernels.pack(frame1)
        for t in times:
            frame = np.empty_like(frame0)
            kernels.motion_blend(packed0, packed1, flow01, flow10, np.float32(t), np.float32(_AGREEMENT), frame)
            yield frame


def optical_flow(grey0: np.ndarray, grey1: np.ndarray) -> np.ndarray:
    """Estimate the motion from one frame to the next by dense inverse search.

    The bits are the same on any number of threads (OpenCV cuts DIS into eight stripes whatever their number) and, as
    neither Intel IPP nor the variational refinement takes part, on processors with other vector instructions. Without
    the refinement, flow takes half as long and frames between come out as good.

    Args:
        grey0: Frame, uint8 (H,W), both sides at least `MIN_SIDE`.
        grey1: The next one, of the same size.

    Returns:
        Flow, float32 (H,W,2): pixel (x, y) of `grey0` is at (x, y) + flow[y, x] in `grey1`, pixels.

    Source:
        Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    """
    # A new object each time: it keeps buffers, and no call may depend on the one before.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setVariationalRefinementIterations(0)
    with _without_ipp():
        return dis.calc(grey0, grey1, None)  # type: ignore[call-overload]  # the stubs know no call without initial flow


@contextmanager
def _without_ipp() -> Iterator[None]:
    """Keep Intel IPP out of OpenCV: it picks its code, and with it the last bits, by processor.

    The switch is OpenCV's own for each thread, so that nothing else in the process is affected.
    """
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(before)
