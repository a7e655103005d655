"""Time and memory of the published networks at their whole size, beside LDN: seven frames of 1280×720.

Each has random weights and a process of its own, on the CPU, and makes the frames at readouts 20, 36, ..., 116 of one
exposure. Columns are the parameters of all that runs, multiplications a frame, seconds for all seven frames, these as a
multiple of LDN's, and how much memory the process had at most, beyond what it had with the network and the sample.

    python benchmarks/baselines.py [NAME ...]
"""

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch

from spikesim.threads import available_cores
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models.baselines.quarter_size import QuarterSizeBaseline
from ssdm_models.cost import deblurring_macs, macs, parameters
from ssdm_models.deblur import deblur_sequence
from ssdm_models.stages import STAGES

PLAIN = "ldn"
NAMES = ("levs", "motion_etr", "bit", "trmd", "red", "refid", "spkdeblurnet", "san")
HEIGHT, WIDTH, RATIO = 720, 1280, 4


class Cost(NamedTuple):
    """What one network costs."""

    label: str
    parameters: int
    macs: int
    seconds: float
    mebibytes: float


def peak() -> float:
    """The most memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str) -> Cost:
    """Make the seven frames once."""
    torch.manual_seed(0)
    plan = ExposurePlan()
    small = HEIGHT // RATIO, WIDTH // RATIO
    network = STAGES[name].new().eval()
    label, size, work = STAGES[name].label, parameters(network), deblurring_macs(network, *small)
    if isinstance(network, QuarterSizeBaseline):
        upsampler = STAGES["dasr"].new().eval()
        network.upsampler = (upsampler,)
        label, size = f"{label}+{STAGES['dasr'].label}", size + parameters(upsampler)
        work += macs(upsampler, (1, 3, *small))
    blur = torch.rand(3, HEIGHT, WIDTH)
    spikes = (torch.rand(plan.stream_length, *small) < 0.4).float()
    before, start = peak(), time.perf_counter()
    with torch.inference_mode():
        deblur_sequence(network, blur, spikes, plan.sharp_readouts("sequence"), plan.exposure)
    return Cost(label, size, work, time.perf_counter() - start, peak() - before)


def alone(name: str) -> Cost:
    """Measure in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, name).result()


def main() -> None:
    """Measure and print the table."""
    print(f"{available_cores()} cores, {torch.get_num_threads()} threads")
    print(f"{'':18}{'parameters':>12}{'GMAC':>9}{'s':>9}{'x LDN':>9}{'MiB':>9}")
    plain = alone(PLAIN)
    for cost in (plain, *map(alone, sys.argv[1:] or NAMES)):
        print(
            f"{cost.label:18}{cost.parameters:12,}{cost.macs / 1e9:9.1f}{cost.seconds:9.1f}"
            f"{cost.seconds / plain.seconds:9.1f}{cost.mebibytes:9,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
