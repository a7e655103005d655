"""Savings from computing once what does not depend on the time, and effect of batches, threads and tiles.

Seven frames of one pair at 256×448 are computed by networks with random weights, on the CPU. `plain` runs the whole
network for each frame, on one thread. The other columns are the time of `plain` divided by the time with ...
  pair     the pair prepared once,
  clip     the first frame already encoded as well, as the second frame of the previous pair,
  batch    as `pair`, all times in one batch,
  threads  as `pair`, several times in parallel on separate threads, as interpolators do it,
  tiles    as `pair`, in tiles of 128 pixels.
Times are the minimum of several alternating runs; `difference` is the largest difference of any frame from `plain`.

    python benchmarks/networks.py
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spikesim.threads import available_cores
from spikesim_datasets.interpolation.networks.layers import ready_for_inference
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork
from spikesim_datasets.interpolation.networks.rife_network import Rife
from spikesim_datasets.interpolation.networks.xvfi_network import Xvfi
from spikesim_datasets.interpolation.rife import VERSIONS
from spikesim_datasets.interpolation.xvfi import SCALES

SIZE = 256, 448
EIGHTFOLD = [i / 8 for i in range(1, 8)]
RUNS = 2

Network = InterpolationNetwork[Any, Any]


def networks() -> list[Network]:
    """Networks of the released sizes, with random weights."""
    torch.manual_seed(0)
    made: list[Network] = [Rife(VERSIONS[name], f"RIFE v{name}") for name in ("4.6", "4.25")]
    return [ready_for_inference(network) for network in (*made, Xvfi(64, SCALES))]


def frames() -> tuple[Tensor, Tensor]:
    """A smooth random frame, and the same moved by a few pixels."""
    grain = torch.rand(1, 3, SIZE[0] // 8, SIZE[1] // 8, generator=torch.Generator().manual_seed(0))
    frame = functional.interpolate(grain, size=SIZE, mode="bicubic").clamp(0, 1)
    return frame, frame.roll((3, 5), (2, 3))


def ways(network: Network, frame0: Tensor, frame1: Tensor) -> dict[str, Callable[[], list[Tensor]]]:
    """The ways to make seven frames, by name."""
    encoded0 = network.encode(frame0)

    def pair() -> list[Tensor]:
        prepared = network.prepare(frame0, frame1)
        return [network.at(prepared, t) for t in EIGHTFOLD]

    def clip() -> list[Tensor]:
        prepared = network.relate(encoded0, network.encode(frame1))
        return [network.at(prepared, t) for t in EIGHTFOLD]

    def batch() -> list[Tensor]:
        return list(network.at(network.prepare(frame0, frame1), torch.tensor(EIGHTFOLD)).split(1))

    def threads() -> list[Tensor]:
        prepared = network.prepare(frame0, frame1)
        with ThreadPoolExecutor(available_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(lambda t: network.at(prepared, t), EIGHTFOLD))

    def tiles() -> list[Tensor]:
        network.tile = 128
        try:
            return pair()
        finally:
            network.tile = None

    def plain() -> list[Tensor]:
        return [network(frame0, frame1, t) for t in EIGHTFOLD]

    return {"plain": plain, "pair": pair, "clip": clip, "batch": batch, "threads": threads, "tiles": tiles}


def measure(network: Network) -> str:
    """A row of the table."""
    methods = ways(network, *frames())
    expected = methods["plain"]()
    difference, seconds = 0.0, dict.fromkeys(methods, float("inf"))
    for _ in range(RUNS):
        for name, method in methods.items():
            start = time.perf_counter()
            made = method()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            difference = max(difference, *((a - b).abs().max().item() for a, b in zip(made, expected, strict=True)))
    ratios = "".join(f"{seconds['plain'] / seconds[name]:9.2f}" for name in list(methods)[1:])
    return f"{network.title:18}{seconds['plain']:9.2f} s{ratios}{7 / seconds['clip']:10.1f}{difference:12.1e}"


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    header = "".join(f"{name:>9}" for name in ("pair", "clip", "batch", "threads", "tiles"))
    print(f"{'':18}{'plain':>11}{header}{'clip fps':>10}{'difference':>12}")
    with torch.inference_mode():
        for network in networks():
            print(measure(network), flush=True)


if __name__ == "__main__":
    main()
