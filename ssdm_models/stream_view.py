"""What a network is shown of the spikes of a blurry image: whatever part of the stream it asks for."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

import spikesim
from spikesim import SpikeStream, to_torch
from spikesim.checks import require_instance
from ssdm_models.exposures import counted_scale, fractional_counts
from ssdm_models.intensity import intensity_scale
from ssdm_models.readout_spans import require_exposure, span, within
from ssdm_models.tensor_checks import require_tensor
from ssdm_models.windows import long_exposure


class StreamView(ABC):
    """The stream of a blurry image's spikes; a network takes of it what it needs, and nothing else is unpacked.

    Raises:
        InvalidValueError: The images are not of these shapes.

    Attributes:
        blur: The blurry image (3, H, W), RGB in [0, 1].
        shape: (T, h, w) of the stream.
        exposure: First readout of the blurry image's exposure, and the one after its last.
        neighbours: The blurry images before and after (2, 3, H, W); the image itself where there are none.
        scale: What normalises spikes, (1, 1, 1); see `intensity.intensity_scale`.
        packed: The stream, eight pixels to a byte.
        counts: Fractional counts of the whole stream (T + 1, h, w); see `spikesim.fractional_counts`.
        robust_scale: What normalises them, (1, 1, 1); see `exposures.robust_scale`.
    """

    shape: tuple[int, int, int]
    exposure: tuple[int, int]
    scale: Tensor

    def __init__(self, blur: Tensor, neighbours: Tensor | None = None) -> None:
        self.blur = require_tensor(blur, "blur", "3 H W")
        if neighbours is None:
            neighbours = blur.expand(2, -1, -1, -1)
        height, width = blur.shape[1:]
        self.neighbours = require_tensor(neighbours, "neighbours", f"2 3 {height} {width}", like=blur)

    @property
    @abstractmethod
    def packed(self) -> SpikeStream: ...

    @property
    @abstractmethod
    def counts(self) -> Tensor: ...

    @cached_property
    def robust_scale(self) -> Tensor:
        return counted_scale(self.blur[None], self.counts[None], self.exposure)[0]

    @abstractmethod
    def take(self, part: slice) -> Tensor:
        """Some readouts of the stream, (length, h, w) of 0 and 1, on the image's device.

        Args:
            part: Of the readouts.

        Raises:
            InvalidValueError: It is no slice.
        """

    def window(self, time: int, length: int) -> Tensor:
        """The readouts around a time: (length, h, w) of 0 and 1.

        Args:
            time, length: As for `windows.span`.

        Raises:
            InvalidValueError: The window reaches outside the stream.
        """
        return self.take(span(time, length, self.shape[0]))

    def normalised_window(self, time: int, length: int) -> Tensor:
        """The readouts around a time, normalised: as `window`, times `scale`.

        Args:
            time, length: As for `windows.span`.

        Returns:
            (length, h, w), float32.
        """
        return self.window(time, length) * self.scale


class TensorView(StreamView):
    """A view of a stream that is a tensor.

    Args:
        blur: Blurry image (3, H, W), RGB in [0, 1].
        spikes: Its stream (T, h, w) of 0 and 1, on the same device.
        exposure: First readout of the exposure, and the one after its last.
        neighbours: The blurry images before and after (2, 3, H, W); None where there are none.

    Raises:
        InvalidValueError: The spikes are no stream, the exposure is empty or reaches outside it, or the image is none.
    """

    def __init__(
        self, blur: Tensor, spikes: Tensor, exposure: tuple[int, int], neighbours: Tensor | None = None
    ) -> None:
        super().__init__(blur, neighbours)
        require_tensor(spikes, "spikes", "T h w")
        readouts, height, width = spikes.shape
        self._spikes = spikes
        self.shape, self.exposure = (readouts, height, width), require_exposure(exposure)
        self.scale = intensity_scale(blur[None], long_exposure(spikes, exposure)[None])[0]

    def take(self, part: slice) -> Tensor:
        return self._spikes[require_instance(part, "part", slice)]

    @cached_property
    def packed(self) -> SpikeStream:
        return SpikeStream.from_dense(self._spikes.byte().numpy(force=True))

    @cached_property
    def counts(self) -> Tensor:
        if self._spikes.device.type != "cpu":
            return fractional_counts(self._spikes)
        # On the processor, packing them for the kernel is many times as fast.
        return torch.from_numpy(spikesim.fractional_counts(self.packed)).to(self._spikes.dtype)


class PackedView(StreamView):
    """A view of a packed stream, of which only what is asked for is unpacked.

    Args:
        blur: Blurry image (3, H, W), RGB in [0, 1], on the device that unpacked spikes go to.
        stream: Its spikes (T, h, w).
        exposure: First readout of the exposure, and the one after its last.
        neighbours: The blurry images before and after (2, 3, H, W); None where there are none.

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream, or the image or the stream is none.
    """

    def __init__(
        self, blur: Tensor, stream: SpikeStream, exposure: tuple[int, int], neighbours: Tensor | None = None
    ) -> None:
        super().__init__(blur, neighbours)
        require_instance(stream, "stream", SpikeStream)
        rate = stream[within(exposure, len(stream))].rate
        self._stream, self._device = stream, blur.device
        self.shape, self.exposure = stream.shape, require_exposure(exposure)
        self.scale = intensity_scale(blur[None], torch.full((1, 1, 1, 1), rate, device=blur.device))[0]

    @property
    def packed(self) -> SpikeStream:
        return self._stream

    def take(self, part: slice) -> Tensor:
        return to_torch(self._stream[require_instance(part, "part", slice)], self._device)

    @cached_property
    def counts(self) -> Tensor:
        return torch.from_numpy(spikesim.fractional_counts(self._stream)).to(self._device)
