"""Images from spikes: texture from playback (TFP), inter-spike intervals (TFI) and short-term plasticity (TFSTP).

And exposures between spikes.
"""

from dataclasses import dataclass

import numpy as np

from spikesim.checks import require_instance, require_number, require_whole
from spikesim.errors import InvalidValueError
from spikesim.kernels import reconstruction as kernels
from spikesim.kernels.plasticity import plasticity_rates
from spikesim.stream import SpikeStream, require_stream
from spikesim.threads import run_on_rows

_EXACT = 2**24  # float32 holds whole numbers up to here


def tfp(stream: SpikeStream, centre: int, window: int) -> np.ndarray:
    """Texture from playback: the mean of `window` readouts centred on `centre`.

        TFP = N(a, a + window) / window,   a = centre − ⌊window/2⌋

    SpikeCV and Spike-Zoo take one readout more where the window is even: docs/interchange.md has their cut.

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
    window = _window_within(require_stream(stream), window)
    centre = require_whole(centre, "centre")
    start = centre - window // 2
    if start < 0 or start + window > len(stream):
        raise InvalidValueError(
            f"a window of {window} readouts centred on {centre} is {start}..{start + window - 1}, outside the stream's "
            f"0..{len(stream) - 1}; move the centre or shorten the window"
        )
    return stream.counts(start, start + window) / np.float32(window)


def tfp_video(stream: SpikeStream, window: int, *, out: np.ndarray | None = None) -> np.ndarray:
    """TFP at every centre, from counts that run along the stream: image i is `tfp(stream, i + window//2, window)`.

    A video takes 32 times the memory of its spikes. Long streams are done in pieces, with one `out` for all:
    `tfp_video(stream[a : a + n + window − 1], window, out=out)` are the n images from i = a on.

    Args:
        stream: Spikes (T, H, W).
        window: Number of readouts, 1..T, at most 65,535.
        out: Array to fill, of the shape and type of what is returned; None makes a new one.

    Returns:
        float32 (T − window + 1, H, W) in [0, 1], spikes per readout; `out` if given.

    Raises:
        InvalidValueError: The window is empty, longer than the stream or too long, or `out` is no such array.
    """
    readouts, height, width = require_stream(stream).shape
    window = _window_within(stream, window)
    if window > 65_535:
        raise InvalidValueError(f"counts hold at most 65535 readouts, got a window of {window}; shorten it")
    video = _output_array((readouts - window + 1, height, width), out)
    run_on_rows(kernels.running_rates, height, readouts * width, stream.packed, window, video)
    return video


def tfi(stream: SpikeStream, centre: int, window: int | None = None) -> np.ndarray:
    """Texture from inter-spike intervals: one over the interval that covers the readout `centre`.

        TFI = 1 / (b − a),   a = last spike at or before centre, b = first spike after it

    The windows of SpikeCV and Spike-Zoo begin a readout later, and SpikeCV's video is a readout late:
    docs/interchange.md has their cut.

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
    readouts = len(require_stream(stream))
    centre = _readout_within(readouts, centre)
    start = 0
    if window is not None:
        window = _checked_window(window)
        start = max(0, centre - window // 2)
        stream = stream[start : min(readouts, centre - window // 2 + window)]
    image: np.ndarray = tfi_video(stream, centre - start, centre - start + 1)[0]
    return image


def tfi_video(
    stream: SpikeStream, start: int = 0, stop: int | None = None, *, out: np.ndarray | None = None
) -> np.ndarray:
    """TFI at every readout start..stop−1, in one pass over the bits: image i is `tfi(stream, start + i)`.

    A video takes 32 times the memory of its spikes. Long streams are done in pieces, with one `out` for all; spikes
    outside a piece count as well.

    Args:
        stream: Spikes (T, H, W).
        start: First centre, ≥ 0.
        stop: One past the last centre, ≤ T; None means T.
        out: Array to fill, of the shape and type of what is returned; None makes a new one.

    Returns:
        float32 (stop − start, H, W) in [0, 1], spikes per readout, 0 where no interval covers; `out` if given.

    Raises:
        InvalidValueError: The readouts are not in the stream, or `out` is no such array.
    """
    readouts, height, width = require_stream(stream).shape
    start, stop = _readouts_within(stream, start, stop)
    video = _output_array((stop - start, height, width), out)
    # Beyond both ends spikes are looked for eight pixels at a time.
    cost = (stop - start + readouts // 8) * width
    run_on_rows(kernels.covering_rates, height, cost, stream.packed, start, video)
    return video


def fractional_counts(stream: SpikeStream) -> np.ndarray:
    """Spikes before every readout, interpolated between spikes: what the light has added up to, in units of v_th/gain.

        N(b) = n + (b − a) / (c − a),   a = end of the n-th spike's readout ≤ b < c = end of the next one's

    The mean light of readouts s..t−1 is (N(t) − N(s)) / (t − s) times v_th/gain, as in `tfp`. There a window of few
    spikes errs by a whole one; here only by how the light changes within the intervals at its two ends.

    Before the first spike and after the last one, the nearest interval goes on, at most to one more spike. A pixel with
    one spike has the longest interval that fits, one without any half a spike in all.

    Args:
        stream: Spikes (T, H, W), T < 2²⁴.

    Returns:
        float32 (T + 1, H, W), ascending along T, within one of `stream.counts(0, b)`.

    Raises:
        InvalidValueError: The stream is too long.

    Source:
        The interval of Zhu et al., "A Retina-Inspired Sampling Method for Visual Texture Reconstruction", ICME 2019,
        Eq. 3, integrated over any window.
    """
    readouts, height, width = require_stream(stream).shape
    if readouts >= _EXACT:
        raise InvalidValueError(f"fractional counts hold fewer than {_EXACT} readouts, got {readouts}; cut the stream")
    counts = np.empty((readouts + 1, height, width), np.float32)
    run_on_rows(kernels.fractional_counts, height, readouts * width, stream.packed, counts)
    return counts


@dataclass(frozen=True)
class Plasticity:
    """The synapse that every pixel has for TFSTP; the published values for spike cameras by default.

    Args:
        u0: Share of the resources that a spike uses at rest, 0.001 to 0.999.
        increment: f, the share by which a spike brings u nearer to 1, 0.001 to 1.
        depression: D, the time in which R recovers, 0.001 to 10⁶ readouts.
        facilitation: F, the time in which u returns to rest, 0.001 to 10⁶ readouts.

    Raises:
        InvalidValueError: A value is no number or out of range.

    Source:
        The defaults of `TFSTP` in github.com/Zyj061/SpikeCV, D = 0.05 ms and F = 0.5 ms at 20 readouts a ms. What it
        calls `time_unit` is 1 where times are in readouts.
    """

    u0: float = 0.15
    increment: float = 0.15
    depression: float = 1.0
    facilitation: float = 10.0

    def __post_init__(self) -> None:
        for name, most in (("u0", 0.999), ("increment", 1)):
            value = require_number(getattr(self, name), f"{name} of plasticity", 0.001, most)
            object.__setattr__(self, name, value)
        for name in ("depression", "facilitation"):
            value = require_number(getattr(self, name), f"{name} of plasticity", 0.001, 1e6, unit="readouts")
            object.__setattr__(self, name, value)


def tfstp(stream: SpikeStream, centre: int, plasticity: Plasticity | None = None) -> np.ndarray:
    """Texture from short-term plasticity: the rate at which the states of a synapse at each pixel would stay.

    A spike Δ readouts after the one before changes the resources R (1 at rest) and their use u (u0 at rest):

        1 − R ← (1 − R(1 − u)) exp(−Δ/D)
        u − u0 ← (u + f(1 − u) − u0) exp(−Δ/F)

    Solved for Δ with the same state on both sides, each tells an interval, and TFSTP is the mean of both rates:

        Δ_R = −D log[(1 − R) / (1 − R(1 − u))]
        Δ_u = −F log[(u − u0) / (f − u0 + u(1 − f))]
        TFSTP = (1/max(Δ_R, 1) + 1/max(Δ_u, 1)) / 2

    Evenly spaced spikes give one over their interval. Where they jitter, u averages what falls into its time F.

    Only spikes up to `centre` count, so an image shows the past, up to an interval further back than TFI. Between
    spikes it stays as it is, also where no more come. The stream's beginning counts as a spike: with a charge that
    does not begin at 0, the first interval is too short.

    Args:
        stream: Spikes (T, H, W).
        centre: Readout in 0..T−1, the last that is looked at.
        plasticity: The synapse; None is the published one, `Plasticity()`.

    Returns:
        float32 (H, W) in [0, 1], spikes per readout; 0 before the first spike of a pixel.

    Raises:
        InvalidValueError: `centre` is outside the stream.

    Source:
        Zheng et al., "Capture the Moment: High-Speed Imaging With Spiking Cameras Through Short-Term Plasticity", IEEE
        TPAMI 45(7), 2023. In its code (github.com/Zyj061/SpikeCV) F stands for f in Δ_u, which
        docs/interchange.md compares.
    """
    readouts = len(require_stream(stream))
    centre = _readout_within(readouts, centre)
    image: np.ndarray = tfstp_video(stream, centre, centre + 1, plasticity=plasticity)[0]
    return image


def tfstp_video(
    stream: SpikeStream,
    start: int = 0,
    stop: int | None = None,
    *,
    plasticity: Plasticity | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """TFSTP at every readout start..stop−1, in one pass over the bits: image i is `tfstp(stream, start + i)`.

    The pass begins with the stream, wherever `start` is: the states hold all spikes before.

    Args:
        stream: Spikes (T, H, W).
        start: First readout, ≥ 0.
        stop: One past the last readout, ≤ T; None means T.
        plasticity: The synapse; None is the published one, `Plasticity()`.
        out: Array to fill, of the shape and type of what is returned; None makes a new one.

    Returns:
        float32 (stop − start, H, W) in [0, 1], spikes per readout, 0 before a pixel's first spike; `out` if given.

    Raises:
        InvalidValueError: The readouts are not in the stream, or `out` is no such array.
    """
    _, height, width = require_stream(stream).shape
    start, stop = _readouts_within(stream, start, stop)
    synapse = Plasticity() if plasticity is None else require_instance(plasticity, "plasticity", Plasticity)
    video = _output_array((stop - start, height, width), out)
    constants = (synapse.u0, synapse.increment, synapse.depression, synapse.facilitation)
    decays = np.exp(-np.arange(stop + 1) / np.array([[synapse.depression], [synapse.facilitation]]))
    run_on_rows(plasticity_rates, height, stop * width, stream.packed, start, constants, decays, video)
    return video


def _readout_within(readouts: int, centre: int) -> int:
    centre = require_whole(centre, "centre")
    if not 0 <= centre < readouts:
        raise InvalidValueError(f"centre must be a readout of the stream, 0..{readouts - 1}, got {centre}")
    return centre


def _readouts_within(stream: SpikeStream, start: int, stop: int | None) -> tuple[int, int]:
    readouts = len(stream)
    start = require_whole(start, "start")
    stop = readouts if stop is None else require_whole(stop, "stop")
    if not 0 <= start < stop <= readouts:
        raise InvalidValueError(
            f"start and stop must hold a readout of the stream's 0..{readouts - 1} between them, got {start} and {stop}"
        )
    return start, stop


def _checked_window(window: int) -> int:
    window = require_whole(window, "window")
    if window < 1:
        raise InvalidValueError(f"window must be at least one readout, got {window!r}")
    return window


def _window_within(stream: SpikeStream, window: int) -> int:
    window = _checked_window(window)
    if window > len(stream):
        raise InvalidValueError(
            f"a window of {window} readouts is longer than the stream of {len(stream)}; shorten window (--window)"
        )
    return window


def _output_array(shape: tuple[int, ...], out: np.ndarray | None) -> np.ndarray:
    if out is None:
        return np.empty(shape, np.float32)
    require_instance(out, "out", np.ndarray)
    if out.shape != shape or out.dtype != np.float32 or not (out.flags.c_contiguous and out.flags.writeable):
        raise InvalidValueError(
            f"out must be a writeable contiguous float32 array {shape}, got {out.dtype} {out.shape}"
            f"{'' if out.flags.c_contiguous else ', not contiguous'}{'' if out.flags.writeable else ', read-only'}"
        )
    return out
