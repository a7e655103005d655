"""Simulated cameras compared with a real one: the statistics of their spikes at the same rates.

The recording is `real_spike.npz` of SpikingSIM (250×400 pixels, 500 readouts, HWT). Its static part, a wall and
pavement, determines the constant drive of each simulated pixel: the rate of a real one, by regression of spike times on
their number. The simulated cameras have no fixed patterns, because these rates include the recording's own. Without a
recording, drives are uniform in 0.14 to 0.36.

    rate      spikes per readout
    outside   intervals that an ideal pixel does not have: by the drive, and by the spike train's own rate
    short     intervals below 0.6 periods of the drive; long: above 1.6
    R         deviation of a spike train from an even beat, in readouts: median and 99th percentile over pixels
    Var N     variance of the counts of N readouts
    CV²       relative variance of an interval due to noise, from second differences over m intervals: in units of 1e-5

Prints two tables. `--plots FOLDER` also plots them, which needs matplotlib from the extra `docs`.

    python benchmarks/realism.py [real_spike.npz] [--plots docs/images]
"""

import argparse
import sys
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np

from spikesim import SpikeCamera, read_spikes, simulate
from spikesim.noise import DarkCurrent, DeadPixels, GainPattern, ResetNoise, ShotNoise

# The tests hold the same estimators to pixels whose noise is known.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from estimators import Trains, count_variance, outside, phase_noise, static_region, stray, wander

READOUTS = 500
LAGS = (1, 2, 4, 8, 16, 24, 32, 40)
WALL = 94 * 350
"""Pixels of the static region that see the wall; the others see pavement."""

COLOURS = {
    "REAL": "black",
    "ideal": "grey",
    "realistic": "tab:blue",
    "20,000 e⁻": "tab:cyan",
    "ssdm": "tab:red",
    "scsim": "tab:orange",
    "rsir": "tab:green",
}


def cameras() -> dict[str, SpikeCamera]:
    """The presets, and the camera of fewer electrons that takes slow drift of the scene for noise of its own."""
    fixed = GainPattern | DarkCurrent | DeadPixels
    presets = {name: SpikeCamera.preset(name) for name in ("ideal", "realistic", "ssdm", "spikingsim", "scsim", "rsir")}
    found = {
        name: replace(camera, noise=tuple(term for term in camera.noise if not isinstance(term, fixed)))
        for name, camera in presets.items()
    }
    found["20,000 e⁻"] = SpikeCamera(noise=(ShotNoise(full_well_e=20_000), ResetNoise()))
    return found


def spikes_of(camera: SpikeCamera, drive: np.ndarray) -> np.ndarray:
    """Dense spikes (T, P) at constant drives (P,)."""
    light = (drive * camera.v_th / camera.gain).astype(np.float32)[None]
    return simulate(repeat(light, READOUTS), camera).dense()[:, 0]


def print_table(trains: dict[str, Trains], streams: dict[str, np.ndarray], drive: np.ndarray) -> None:
    """What one number says."""
    heads = ("rate", "outside", "by own", "short", "long", "R50", "R99", "Var 20", "Var 100")
    print(f"{'':12}" + "".join(f"{head:>10}" for head in heads))
    for name, spikes in streams.items():
        train = trains[name]
        own, (short, long), strays = outside(train, train.rate), stray(train, drive), wander(train)
        print(
            f"{name:12}{spikes.mean():10.4f}{outside(train, drive):10.1e}{own:10.1e}{short:10.1e}{long:10.1e}"
            f"{np.median(strays):10.3f}{np.percentile(strays, 99):10.3f}"
            f"{count_variance(spikes, 20):10.4f}{count_variance(spikes, 100):10.4f}"
        )


def structure(trains: dict[str, Trains]) -> dict[str, list[float]]:
    """CV²(m) of every train, by the part of the scene."""
    pixels = next(iter(trains.values())).rate.size
    parts = {"": np.arange(pixels)}
    if "REAL" in trains:
        parts = {" wall": np.arange(WALL), " pavement": np.arange(WALL, pixels)}
    return {
        name + part: [phase_noise(train.take(which), lag) for lag in LAGS]
        for part, which in parts.items()
        for name, train in trains.items()
    }


def print_structure(noise: dict[str, list[float]]) -> None:
    """What the lags say."""
    print(f"\n{'CV² · 1e5':20}" + "".join(f"{f'm = {lag}':>9}" for lag in LAGS))
    for name, values in noise.items():
        print(f"{name:20}" + "".join(f"{1e5 * value:9.2f}" for value in values))


def plot(
    trains: dict[str, Trains], streams: dict[str, np.ndarray], noise: dict[str, list[float]], folder: Path
) -> None:
    """SeededIndex interval histograms, Fano factors and structure functions."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 100})
    shown = [name for name in COLOURS if name in trains]
    first = next(iter(trains.values()))

    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
    for axis, rate in zip(axes, (0.2, 0.223, 0.306), strict=True):
        near = np.flatnonzero(abs(first.rate - rate) < 0.0015)
        bars = [name for name in shown if name != "20,000 e⁻"]
        for i, name in enumerate(bars):
            intervals, _ = trains[name].take(near).intervals(first.rate[near])
            share = np.bincount(intervals.astype(int), minlength=10)[1:10] / intervals.size
            at = np.arange(1, 10) + (i - (len(bars) - 1) / 2) * 0.13
            axis.bar(at, share, 0.13, color=COLOURS[name], label=name)
        axis.set(yscale="log", ylim=(1e-6, 2), xticks=range(1, 10), xlabel="interval [readouts]")
        axis.set_title(f"{rate} spikes a readout")
    axes[0].set_ylabel("share of intervals")
    axes[-1].legend(fontsize=7)
    figure.savefig(folder / "realism_intervals.png")

    figure, axis = pyplot.subplots(figsize=(5, 3.4), layout="constrained")
    windows = (5, 10, 20, 50, 100, 166, 250)
    for name in reversed(shown):  # the real one on top
        fano = [count_variance(streams[name], window) / (window * streams[name].mean()) for window in windows]
        axis.plot(windows, fano, "o-", ms=3, color=COLOURS[name], label=name)
    axis.axhline(1, color="black", ls=":", lw=1)
    axis.text(windows[0], 0.7, "Poisson", fontsize=8)
    axis.set(xscale="log", yscale="log", xlabel="window [readouts]", ylabel="variance / mean of counts")
    axis.legend(fontsize=7)
    figure.savefig(folder / "realism_fano.png")

    figure, axis = pyplot.subplots(figsize=(5, 3.4), layout="constrained")
    for name, values in noise.items():
        base, _, part = name.rpartition(" ") if name.endswith(("wall", "pavement")) else (name, "", "")
        if base in shown and base != "ideal":  # which is zero, up to sampling
            style = "s--" if part == "pavement" else "o-"
            axis.plot(LAGS, values, style, ms=3, lw=1, color=COLOURS[base], label=None if style == "s--" else base)
    axis.set(xscale="log", yscale="log", xlabel="lag m [spikes]", ylabel="CV²(m) of the phase")
    axis.set_title("solid: wall; dashed: pavement", fontsize=8)
    axis.legend(fontsize=7, loc="center right")
    figure.savefig(folder / "realism_structure.png")


def main() -> None:
    """Simulate, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="where to draw")
    arguments = parser.parse_args()
    streams: dict[str, np.ndarray] = {}
    if arguments.recording is None:
        drive = np.random.default_rng(0).uniform(0.14, 0.36, 20_000)
    else:
        streams["REAL"] = static_region(read_spikes(arguments.recording, axes="HWT").dense())
        drive = Trains.of(streams["REAL"]).rate
    streams |= {name: spikes_of(camera, drive) for name, camera in cameras().items()}
    trains = {name: Trains.of(spikes) for name, spikes in streams.items()}
    noise = structure(trains)
    print_table(trains, streams, drive)
    print_structure(noise)
    if arguments.plots is not None:
        arguments.plots.mkdir(parents=True, exist_ok=True)
        plot(trains, streams, noise, arguments.plots)


if __name__ == "__main__":
    main()
