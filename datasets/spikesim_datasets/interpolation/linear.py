"""Cross-fading: the cheapest interpolator, for still scenes and as a yardstick."""

from collections.abc import Iterator, Sequence

import numpy as np

from spikesim_datasets.interpolation.base import check_request
from spikesim_datasets.kernels import blending


class LinearInterpolator:
    """Fades one frame into the other, I(t) = (1-t) I0 + t I1; what moves is seen twice."""

    name = "linear"
    dense = False

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {"name": self.name, "version": 1}

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`."""
        check_request(frame0, frame1, times)
        return self._frames(np.ascontiguousarray(frame0), np.ascontiguousarray(frame1), times)

    def _frames(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        for t in times:
            frame = np.empty_like(frame0)
            blending.crossfade(frame0, frame1, np.float32(t), frame)
            yield frame
