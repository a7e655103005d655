"""Speed of the sensor, compared with the loops of the field and with the memory bandwidth of the machine.

For each camera, size and type of light, the table shows: pixel-readouts and bytes per second; the ratio to a plain loop
of the same physics in torch, written like the S-SDM release, and in numpy; and the share of two bounds. One bound is
the time to read the light and write the bits at the bandwidth of a copy on the same threads, which reads and writes
simultaneously; the other is the time the same threads need to only read the light. All are measured in one run, the
minimum of several times each. Before the table: the cost of the first call in a new process with cached kernels, and
the memory of a stream of 12 million readouts (10 minutes at 20 kHz) that is pushed piece by piece.

    python benchmarks/sensor.py [--large]

`--large` adds light of 400×1000×1000, which takes a few minutes and 4 GB.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from spikesim import SpikeCamera, simulate
from spikesim.noise import DarkCurrent, DeadTime, GainPattern, InherentSpikes, ResetNoise, ShotNoise
from spikesim.threads import available_cores

SMALL, LARGE = (137, 180, 320), (400, 1000, 1000)
CAMERAS = ("ideal", "ssdm", "realistic")


def torch_loop(light: np.ndarray, camera: SpikeCamera) -> float:
    """Mean spikes a readout of a loop as S-SDM's release has it: whole frames, readout by readout, spikes by mask."""
    import torch

    frames = torch.from_numpy(light)
    generator = torch.Generator().manual_seed(0)
    shape = light.shape[1:]
    charge = torch.rand(shape, generator=generator) * camera.v_th
    shot, reset, dead = camera.term(ShotNoise), camera.term(ResetNoise), camera.term(DeadTime)
    gain = 1.0 if camera.term(GainPattern) is None else 1 + 0.026 * torch.randn(shape, generator=generator)
    dark = (
        0.0
        if camera.term(DarkCurrent) is None
        else 4.49e-3 * torch.exp(0.445 * torch.randn(shape, generator=generator))
    )
    spikes = torch.zeros(light.shape, dtype=torch.uint8)
    fired = torch.zeros(shape, dtype=torch.bool)
    for t in range(len(light)):
        frame = frames[t].float() / 255 if light.dtype == np.uint8 else frames[t]
        drive = frame * camera.gain
        if shot is not None:
            drive = gain * drive + dark
            if dead is not None:
                drive = drive * (1 - dead.readouts * fired)
            drive = torch.poisson(drive * shot.full_well_e, generator=generator) / shot.full_well_e
        charge += drive
        fired = charge >= camera.v_th
        spikes[t][fired] = 1
        charge[fired] = charge[fired] % camera.v_th
        if reset is not None:
            charge += reset.sigma * torch.randn(shape, generator=generator) * fired
    if camera.term(InherentSpikes) is not None:
        positions = torch.cumsum(
            torch.normal(140.0, 50.0, (int(1.1 * light.size / 140),), generator=generator).double(), 0
        )
        positions = positions.long()
        noise = torch.zeros(light.size, dtype=torch.uint8)
        noise[positions[(positions >= 0) & (positions < light.size)]] = 1
        spikes |= noise.reshape(*shape, len(light)).permute(2, 0, 1)
    return float(spikes.float().mean())


def numpy_loop(light: np.ndarray, camera: SpikeCamera) -> float:
    """As `torch_loop` in numpy, for cameras without noise on the charge."""
    rng = np.random.default_rng(0)
    v_th, gain = np.float32(camera.v_th), np.float32(camera.gain)
    charge = rng.random(light.shape[1:], np.float32) * v_th
    spikes = np.zeros(light.shape, np.uint8)
    for t in range(len(light)):
        frame = light[t] / np.float32(255) if light.dtype == np.uint8 else light[t]
        charge = charge + frame * gain
        spikes[t] = charge >= v_th
        charge = np.fmod(charge, v_th)
    if camera.term(InherentSpikes) is not None:
        positions = np.cumsum(rng.normal(140, 50, int(1.1 * light.size / 140))).astype(np.int64)
        noise = np.zeros(light.size, np.uint8)
        noise[positions[(positions >= 0) & (positions < light.size)]] = 1
        spikes |= noise.reshape(*light.shape[1:], len(light)).transpose(2, 0, 1)
    return float(spikes.mean())


def least(run: Callable[[], object], runs: int) -> float:
    """The least time of several runs, s."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def copy_bandwidth(light: np.ndarray, runs: int) -> float:
    """Bytes a second, read and written, that all cores together copy."""
    threads = available_cores()
    target = np.empty_like(light)
    parts = np.array_split(np.arange(len(light)), threads)

    def copy(part: np.ndarray) -> None:
        np.copyto(target[part[0] : part[-1] + 1], light[part[0] : part[-1] + 1])

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(copy, parts))

    return 2 * light.nbytes / least(run, runs)


def reading_time(light: np.ndarray, runs: int) -> float:
    """Seconds in which all cores together read light, by numpy's maximum of 64-bit words."""
    parts = np.array_split(light.reshape(-1).view(np.uint64), available_cores())
    with ThreadPoolExecutor(len(parts)) as pool:
        return least(lambda: list(pool.map(np.max, parts)), runs)


def measure(name: str, light: np.ndarray, bandwidth: float, runs: int) -> str:
    """One row of the table."""
    camera = SpikeCamera.preset(name)
    stream = simulate(light, camera)
    rate = float(np.mean([stream[t : t + 1].dense().mean() for t in range(0, len(stream), 10)]))
    ours = least(lambda: simulate(light, camera), runs)
    rates: list[float] = []
    torch_time = least(lambda: rates.append(torch_loop(light, camera)), 2)
    numpy_time = least(lambda: numpy_loop(light, camera), 2) if name != "realistic" else float("nan")
    moved = light.nbytes + stream.packed.nbytes
    return (
        f"{name:10}{light.dtype!s:9}{1e3 * ours:9.2f}{light.size / ours / 1e9:9.2f}{moved / ours / 1e9:8.2f}"
        f"{torch_time / ours:9.0f}{numpy_time / ours:9.0f}{moved / bandwidth / ours:8.0%}"
        f"{reading_time(light, runs) / ours:9.0%}{rate:9.4f}{rates[0]:9.4f}"
    )


FIRST_CALL = """
import time
start = time.perf_counter()
import numpy as np
from spikesim import SpikeCamera, simulate
light = np.full((137, 180, 320), 0.3, np.float32)
simulate(light, SpikeCamera.preset({name!r}))
print(time.perf_counter() - start)
"""

LONG_STREAM = """
import numpy as np, resource
from spikesim import Simulator, SpikeCamera
simulator = Simulator(SpikeCamera.preset("realistic"), 8, 16)
frames = np.random.default_rng(0).random((4096, 8, 16), dtype=np.float32)
for _ in range({chunks}):
    simulator.push(frames)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run_fresh(code: str) -> float:
    """What a fresh interpreter prints last."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="also light of 400×1000×1000")
    large = parser.parse_args().large
    # Before anything large is in memory: a new process starts its count of memory where the old one stands.
    print(
        "first call of a fresh process, s: "
        + ", ".join(f"{n} {run_fresh(FIRST_CALL.format(name=n)):.2f}" for n in CAMERAS)
    )
    short, long = (run_fresh(LONG_STREAM.format(chunks=chunks)) for chunks in (30, 2930))
    print(f"memory of a stream of 0.12 and of 12 million readouts: {short / 1e3:.0f} and {long / 1e3:.0f} MB")
    for shape in (SMALL, LARGE) if large else (SMALL,):
        light = np.random.default_rng(0).random(shape, dtype=np.float32)
        runs = 15 if shape == SMALL else 3
        bandwidth = copy_bandwidth(light, runs)
        print(f"{'×'.join(map(str, shape))} on {available_cores()} cores; copies move {bandwidth / 1e9:.1f} GB/s")
        print(
            f"{'camera':10}{'light':9}{'ms':>9}{'Gpx/s':>9}{'GB/s':>8}{'× torch':>9}{'× numpy':>9}{'copy':>8}"
            f"{'reading':>9}{'rate':>9}{'of torch':>9}"
        )
        for name in CAMERAS:
            for typed in ((light * 255).astype(np.uint8), light):
                print(measure(name, typed, bandwidth, runs), flush=True)
    print(f"most memory of this run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
