"""Speed of the sensor on a GPU, compared with the compiled kernels on all cores of the processor.

`host` starts from a numpy array and ends with a stream in memory, like the kernels; `device` starts from a tensor on
the GPU and leaves the bits there. Times are the minimum of several runs; `differing` counts the bits that differ
between the two.

    python benchmarks/gpu.py
"""

import time
from collections.abc import Callable

import numpy as np

from spikesim import PRESETS, SpikeCamera, simulate

SHAPES = ((137, 180, 320), (400, 1000, 1000))
RUNS = 3


def least_ms(run: Callable[[], object]) -> float:
    """The least time of several runs, ms, after one that warms up."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def measure(camera: SpikeCamera, light: np.ndarray) -> str:
    """The numbers of a row: ms on the processor, from the host and on the device, both ratios, and differing bits."""
    import torch

    from spikesim import gpu

    there = torch.from_numpy(light).cuda()

    def on_device() -> None:
        gpu.packed_spikes(there, camera)
        torch.cuda.synchronize()

    differing = np.bitwise_count(simulate(light, camera).packed ^ simulate(light, camera, device="cuda").packed).sum()
    kernels = least_ms(lambda: simulate(light, camera))
    host = least_ms(lambda: simulate(light, camera, device="cuda"))
    device = least_ms(on_device)
    return f"{kernels:12.1f}{host:10.1f}{kernels / host:8.1f}{device:10.1f}{kernels / device:8.1f}{differing:11}"


def main() -> None:
    """Measure and print the table, or say that there is no GPU."""
    try:
        import torch
    except ModuleNotFoundError:
        print("no torch here; pip install 'spikesim[ssdm]'")
        return
    if not torch.cuda.is_available():
        print(f"torch {torch.__version__} finds no CUDA device here: nothing to measure")
        return
    print(f"{torch.cuda.get_device_name()}, times in ms")
    print(
        f"{'light':24}{'camera':12}{'processor':>12}{'host':>10}{'ratio':>8}{'device':>10}{'ratio':>8}{'differing':>11}"
    )
    for shape in SHAPES:
        codes = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        for light in (codes, codes / np.float32(255)):
            for name in PRESETS:
                place = f"{'×'.join(map(str, shape))} {light.dtype}"
                print(f"{place:24}{name:12}{measure(SpikeCamera.preset(name), light)}", flush=True)


if __name__ == "__main__":
    main()
