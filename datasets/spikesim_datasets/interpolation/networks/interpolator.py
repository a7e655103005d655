"""Networks as interpolators of uint8 frames."""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikesim.files import checksum
from spikesim.gpu.devices import check_precision, find_device, full_precision
from spikesim.threads import allowed_threads
from spikesim_datasets.interpolation.base import Options, check_request
from spikesim_datasets.interpolation.networks.layers import compute_in
from spikesim_datasets.interpolation.networks.memory import available_memory, check_memory, explained
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork
from spikesim_datasets.interpolation.networks.torchscript import load_script
from spikesim_datasets.interpolation.networks.weights import (
    KNOWN_SHA256,
    RELEASES,
    UnknownWeightsWarning,
    find_weights,
)


def make_network_interpolator(options: Options) -> "NetworkInterpolator":
    """An interpolator by a network: one with released weights, or an exported one.

    Raises:
        InvalidValueError: The device or the precision is not available.
        InputFileError: The weights are missing, damaged or those of another network.
    """
    device = find_device(options.device)
    check_precision(options.precision, device)
    if options.name not in RELEASES:
        path = Path(options.name.partition(":")[2])
        return NetworkInterpolator("torchscript", load_script(path).to(device), {"weights": checksum(path)})
    release = RELEASES[options.name]
    path = find_weights(options.name, options.weights)
    digest = checksum(path)
    network: InterpolationNetwork[Any, Any] = import_module(release.module).load_released(path)
    network.tile, network.precision = options.tile, options.precision
    if options.precision != "float32":
        compute_in(network, getattr(torch, options.precision))
    if digest not in KNOWN_SHA256:
        warnings.warn(
            f"{path} is no known weights file of {release.network} (SHA-256 {digest}); it is used as it is, "
            "make sure where it comes from",
            UnknownWeightsWarning,
            stacklevel=3,
        )
    return NetworkInterpolator(options.name, network.to(device), {"weights": digest, "licence": release.licence})


class NetworkInterpolator:
    """Frames between frames by a network.

    On a CPU an operation takes one thread: on several, the order of sums and with it the last bits would depend on
    their number. Instead, several times are computed at once, as many as there are threads and memory for.

    Args:
        name: What `make_interpolator` knows it by.
        network: The network, on its device.
        origin: What the description says of its weights.
    """

    dense = False

    def __init__(self, name: str, network: InterpolationNetwork[Any, Any], origin: dict[str, str]) -> None:
        self.name = name
        self._network, self._origin = network, origin
        self._device = network.device
        self._last: tuple[np.ndarray, Any] | None = None  # the latest frame 1, mostly the next pair's frame 0

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {
            "name": self.name,
            "version": 1,
            "network": self._network.title,
            **self._origin,
            "tile": self._network.tile,
            "precision": self._network.precision,
            "device": self._device.type,
            "torch": torch.__version__,
        }

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`; frames that memory does not suffice for raise `InvalidValueError` as well."""
        check_request(frame0, frame1, times)
        height, width, _ = frame0.shape
        needed, available = self._network.bytes_needed(height, width), available_memory(self._device)
        check_memory(self._network, height, width, needed, available)
        limits = [allowed_threads() if self._device.type == "cpu" else 1, len(times)]
        if available is not None:
            limits.append(available // needed)
        return self._frames(frame0, frame1, times, min(limits))

    def _frames(
        self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float], at_once: int
    ) -> Iterator[np.ndarray]:
        if not len(times):
            return
        with self._computing(frame0):
            pair = self._network.relate(*(self._encoded(frame) for frame in (frame0, frame1)))
        if at_once == 1:
            for t in times:
                with self._computing(frame0):
                    frame = self._rendered(pair, t)
                yield frame
            return
        with self._computing(frame0), ThreadPoolExecutor(at_once, "network", torch.set_num_threads, (1,)) as pool:
            frames = list(pool.map(self._rendered, [pair] * len(times), times))
        yield from frames

    def _encoded(self, frame: np.ndarray) -> Any:
        """What the network makes of a frame, kept until the next one, compared by its pixels."""
        if self._last is None or not np.array_equal(self._last[0], frame):
            own = frame.copy()
            levels = torch.from_numpy(own).to(self._device).permute(2, 0, 1)[None]
            self._last = own, self._network.encode(levels.float() / 255)
        return self._last[1]

    @torch.inference_mode()
    def _rendered(self, pair: Any, t: float) -> np.ndarray:
        levels = self._network.at(pair, t)[0].mul(255).round_().clamp_(0, 255)
        return levels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy(force=True)

    @contextmanager
    def _computing(self, frame: np.ndarray) -> Iterator[None]:
        """Compute so that the bits depend on nothing but the arguments; settings of torch are put back."""
        with explained(self._network, *frame.shape[:2]), full_precision(self._device), torch.inference_mode():
            before = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                yield
            finally:
                torch.set_num_threads(before)
