"""Speed of operations on packed spikes, compared with the loops over readouts that a researcher would write in numpy.

Both process the same stream: pixels that fire evenly at rates from 0 to 0.5, as with a camera without noise. `plain` is
the loop (for `.dat`, that of Spike-Zoo); the other columns are spikesim on one thread and on all cores. Videos are
written to an array that has been used before. `write` is the time to fill an array as large as the result on one
thread, which memory determines. A `.dat` is written to the disk (spikesim alone waits until it has reached the disk)
and, on Linux, to memory. Results are compared. Times are the minimum of several runs, in ms.

    python benchmarks/reconstruction.py
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import (
    Plasticity,
    SpikeStream,
    read_spikes,
    tfi,
    tfi_video,
    tfp_video,
    tfstp_video,
    thread_limit,
    write_spikes,
)

STREAMS = ((137, 180, 320), (200, 1000, 1000))
WINDOW = 21
BUDGET_S = 0.3  # of repeating a measurement
# Where a `.dat` is written: the usual folder for temporary files, and Linux's file system in memory.
PLACES = {"to disk": None} | ({"to memory": "/dev/shm"} if Path("/dev/shm").is_dir() else {})


def even_spikes(readouts: int, height: int, width: int) -> np.ndarray:
    """Dense spikes of pixels whose charge rises by a constant, each from a phase of its own."""
    rng = np.random.default_rng(0)
    rate, charge = rng.random((height, width), np.float32) / 2, rng.random((height, width), np.float32)
    spikes = np.empty((readouts, height, width), np.uint8)
    for t in range(readouts):
        charge += rate
        spikes[t] = charge >= 1
        charge -= spikes[t]
    return spikes


def plain_counts(spikes: np.ndarray) -> np.ndarray:
    """Spikes of each pixel."""
    counts = np.zeros(spikes.shape[1:], np.uint16)
    for readout in spikes:
        counts += readout
    return counts


def plain_tfp_video(spikes: np.ndarray, video: np.ndarray) -> np.ndarray:
    """A count that gains a readout and loses one at each step."""
    counts = spikes[:WINDOW].sum(axis=0, dtype=np.int32)
    video[0] = counts / np.float32(WINDOW)
    for t in range(1, len(video)):
        counts += spikes[t + WINDOW - 1]
        counts -= spikes[t - 1]
        video[t] = counts / np.float32(WINDOW)
    return video


def plain_tfi_video(spikes: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Once backwards for the next spike, once forwards for the last."""
    following = np.full(spikes.shape[1:], np.inf, np.float32)
    for t in range(len(spikes) - 1, -1, -1):
        video[t] = following
        following[spikes[t] == 1] = t
    last = np.full(spikes.shape[1:], -np.inf, np.float32)
    for t in range(len(spikes)):
        last[spikes[t] == 1] = t
        video[t] = 1 / (video[t] - last)
    return video


def plain_tfi(spikes: np.ndarray) -> np.ndarray:
    """Search outwards from the middle until every pixel has both spikes, or the stream ends."""
    centre = len(spikes) // 2
    last, following = np.full((2, *spikes.shape[1:]), np.inf, np.float32)
    for t in range(centre, -1, -1):
        last[(spikes[t] == 1) & (last == np.inf)] = t
        if (last < np.inf).all():
            break
    for t in range(centre + 1, len(spikes)):
        following[(spikes[t] == 1) & (following == np.inf)] = t
        if (following < np.inf).all():
            break
    interval = following - np.where(last == np.inf, -np.inf, last)
    return (1 / interval).astype(np.float32)


def plain_tfstp_video(spikes: np.ndarray, video: np.ndarray) -> np.ndarray:
    """The states of the pixels that fire at each readout, in float32, and the formulas of both rates for all pixels.

    Unlike the code of its authors with f in the second formula, and the mean of both rates where that scales their sum.
    """
    synapse = Plasticity()
    u0, f, d, g = (np.float32(v) for v in (synapse.u0, synapse.increment, synapse.depression, synapse.facilitation))
    r, u = np.ones(spikes.shape[1:], np.float32), np.full(spikes.shape[1:], u0)
    last = np.full(spikes.shape[1:], -1, np.float32)
    for t, readout in enumerate(spikes):
        fired = readout == 1
        interval, r_before, u_before = np.float32(t) - last[fired], r[fired], u[fired]
        r[fired] = 1 - (1 - r_before * (1 - u_before)) * np.exp(-interval / d)
        u[fired] = u0 + (u_before + f * (1 - u_before) - u0) * np.exp(-interval / g)
        last[fired] = t
        with np.errstate(divide="ignore"):  # pixels at rest
            of_r = -1 / (d * np.log((1 - r) / (1 - r * (1 - u))))
            of_u = -1 / (g * np.log((u - u0) / (f - u0 + u * (1 - f))))
        video[t] = (of_r + of_u) / 2
    return video


def plain_pack(spikes: np.ndarray) -> np.ndarray:
    """Numpy's own packing, which takes any value that is not 0 for a spike."""
    if not ((spikes == 0) | (spikes == 1)).all():
        raise ValueError
    return np.packbits(spikes, axis=2, bitorder="little")


def plain_read(path: Path, height: int, width: int) -> np.ndarray:
    """Eight shifts for each readout, dense."""
    spikes = []
    for readout in np.fromfile(path, np.uint8).reshape(-1, height * width // 8):
        bits = [np.right_shift(np.bitwise_and(readout, np.left_shift(1, bit)), bit) for bit in range(8)]
        spikes.append(np.flipud(np.stack(bits).transpose().reshape(height, width)))
    return np.stack(spikes).astype(np.float32)


def plain_write(path: Path, spikes: np.ndarray) -> None:
    """A sum of powers of two for each readout, dense."""
    weights = np.power(2, np.linspace(0, 7, 8))
    with path.open("wb") as file:
        for readout in spikes:
            file.write((np.flipud(readout).reshape(-1, 8) * weights).sum(axis=1).astype(np.uint8).tobytes())


def to_new_file(write: Callable[[Path, Any], None], path: Path, spikes: Any) -> None:
    """Write a file that does not exist yet: to replace one costs the file system as much again."""
    path.unlink(missing_ok=True)
    write(path, spikes)


def read_dense(path: Path) -> np.ndarray:
    """What `plain_read` gives, in fewer bytes."""
    return read_spikes(path).dense()


def least_ms(run: Callable[[], object]) -> float:
    """The least time of runs repeated for a while, ms."""
    times: list[float] = []
    while sum(times) < BUDGET_S:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def row(
    name: str,
    plain: Callable[[], object],
    ours: Callable[[], object],
    compare: Callable[..., None] = np.testing.assert_array_equal,
) -> str:
    """Measure one line of the table, and compare the arrays that both give."""
    expected = []
    slow = least_ms(lambda: expected.append(plain()) if not expected else plain())
    result = ours()
    with thread_limit(1):
        single = least_ms(ours)
    parallel = least_ms(ours)
    line = f"{name:14}{slow:10.1f}{single:10.2f}{slow / single:8.1f}{parallel:11.2f}{slow / parallel:8.1f}"
    if isinstance(result, np.ndarray):
        compare(result, expected[0])
        line += f"{least_ms(lambda: result.fill(0)):9.2f}"
    return line


def main() -> None:
    """Measure and print a table for each stream."""
    for shape in STREAMS:
        spikes = even_spikes(*shape)
        stream = SpikeStream.from_dense(spikes)
        readouts, height, width = shape
        print(f"\n{readouts} readouts of {height}×{width}; TFP of {WINDOW} readouts; times in ms")
        print(f"{'':14}{'plain':>10}{'1 thread':>10}{'ratio':>8}{'all cores':>11}{'ratio':>8}{'write':>9}")
        print(row("counts", partial(plain_counts, spikes), stream.counts))
        video, other = np.ones((2, *shape), np.float32)
        short = partial(tfp_video, stream, WINDOW, out=video[WINDOW - 1 :])
        print(row("TFP video", partial(plain_tfp_video, spikes, other[WINDOW - 1 :]), short))
        print(row("TFI video", partial(plain_tfi_video, spikes, other), partial(tfi_video, stream, out=video)))
        # In float32 the loop's R is 1 after long intervals, which shows as half the rate.
        compare = partial(np.testing.assert_allclose, rtol=0, atol=0.05)
        slow, fast = partial(plain_tfstp_video, spikes, other), partial(tfstp_video, stream, out=video)
        print(row("TFSTP video", slow, fast, compare))
        print(row("TFI, one", partial(plain_tfi, spikes), partial(tfi, stream, readouts // 2)))
        print(row("unpack", partial(np.unpackbits, stream.packed, 2, width, "little"), stream.dense))
        print(row("check, pack", partial(plain_pack, spikes), partial(SpikeStream.from_dense, spikes)))
        for name, place in PLACES.items():
            with tempfile.TemporaryDirectory(dir=place) as folder:
                path = Path(folder, "clip.dat")
                plain, ours = (
                    partial(to_new_file, plain_write, path, spikes),
                    partial(to_new_file, write_spikes, path, stream),
                )
                print(row(name, plain, ours))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "clip.dat")
            write_spikes(path, stream)
            print(row("read .dat", partial(plain_read, path, height, width), partial(read_dense, path)))


if __name__ == "__main__":
    main()
