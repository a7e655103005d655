"""Pictures from spikes: texture from playback (TFP) and texture from inter-spike intervals (TFI)."""

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim.kernels import bits
from spikesim.stream import SpikeStream
from spikesim.threads import run_on_rows


def tfp(stream: SpikeStream, centre: int, window: int) -> np.ndarray:
    """Texture from playback: the mean of `window` readouts centred on `centre`.

        TFP = N(a, a + window) / window,   a = centre − ⌊window/2⌋

    Args:
        stream: Spikes (T, H, W).
        centre: Readout, with the whole window inside 0..T−1.
        window: Number of readouts, ≥ 1. An even window reaches one readout further back than forward.

    Returns:
        float32 (H, W) in [0, 1], spikes per readout. Light is this times v_th/gain, up to the quantisation 1/window.

    Raises:
        InvalidValueError: The window is empty or reaches outside the stream.

    Source:
        Zhu et al., "A Retina-Inspired Sampling Method for Visual Texture Reconstruction", ICME 2019, Eq. 4.
    """
    if window < 1:
        raise InvalidValueError(f"window must be at least one readout, got {window!r}")
    start = centre - window // 2
    if start < 0 or start + window > len(stream):
        raise InvalidValueError(
            f"a window of {window} readouts centred on {centre} is {start}..{start + window - 1}, outside the stream's "
            f"0..{len(stream) - 1}; move the centre or shorten the window"
        )
    return stream.counts(start, start + window) / np.float32(window)


def tfi(stream: SpikeStream, centre: int, window: int | None = None) -> np.ndarray:
    """Texture from inter-spike intervals: one over the interval that covers the readout `centre`.

        TFI = 1 / (b − a),   a = last spike at or before centre, b = first spike after it

    Args:
        stream: Spikes (T, H, W).
        centre: Readout in 0..T−1.
        window: Look for both spikes only in this many readouts around `centre` (as for `tfp`, cut at the stream's
            ends); None looks through the whole stream.

    Returns:
        float32 (H, W) in [0, 1], spikes per readout; 0 where no interval covers `centre`.

    Raises:
        InvalidValueError: `centre` is outside the stream or the window is empty.

    Source:
        Zhu et al., "A Retina-Inspired Sampling Method for Visual Texture Reconstruction", ICME 2019, Eq. 3.
    """
    readouts, height, width = stream.shape
    if not 0 <= centre < readouts:
        raise InvalidValueError(f"centre must be a readout of the stream, 0..{readouts - 1}, got {centre}")
    if window is not None and window < 1:
        raise InvalidValueError(f"window must be at least one readout, got {window!r}")
    start, stop = 0, readouts
    if window is not None:
        start = max(0, centre - window // 2)
        stop = min(readouts, centre - window // 2 + window)
    interval = np.empty((height, width), np.int32)
    run_on_rows(
        bits.covering_interval,
        height,
        (stop - start) * width // 8,
        stream.packed[start:stop],
        centre - start,
        interval,
    )
    with np.errstate(divide="ignore"):
        return np.where(interval > 0, np.float32(1) / interval.astype(np.float32), np.float32(0))
