"""What every interpolation network is: what depends on a frame, on a pair and on a time, each computed once."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from spikesim.errors import InvalidValueError
from spikesim.gpu.devices import full_precision

Encoded = TypeVar("Encoded")
Pair = TypeVar("Pair")


class InterpolationNetwork(nn.Module, ABC, Generic[Encoded, Pair]):
    """A network for inference: `network(frame0, frame1, t)` is `at(relate(encode(frame0), encode(frame1)), t)`.

    Attributes:
        title: Its name and version.
        tile: Side of the tiles that what is large is computed in, pixels; None computes everything in one piece.
        precision: What convolutions compute in.
    """

    title: str
    tile: int | None = None
    precision: str = "float32"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @abstractmethod
    def encode(self, frames: Tensor) -> Encoded:
        """What depends on a frame alone.

        Args:
            frames: Float (N,3,H,W), RGB in [0,1], of any size.
        """

    @abstractmethod
    def relate(self, encoded0: Encoded, encoded1: Encoded) -> Pair:
        """What depends on a pair of frames, but not on the time.

        Args:
            encoded0, encoded1: What `encode` gave of the frames at times 0 and 1.
        """

    @abstractmethod
    def render(self, pair: Pair, times: Tensor) -> Tensor:
        """The frames of a pair at times (K,1,1,1), where K or the batch of the pair is 1.

        Args:
            pair: What `relate` gave.
            times: (K,1,1,1), each in [0, 1].
        """

    @abstractmethod
    def bytes_needed(self, height: int, width: int) -> int:
        """Estimate of the most memory that one pair and one time take at once, weights left out.

        Args:
            height, width: Of the frames, pixels.
        """

    def prepare(self, frame0: Tensor, frame1: Tensor) -> Pair:
        """Everything about a pair of frames that does not depend on the time.

        Args:
            frame0: Frames at time 0, float (N,3,H,W), RGB in [0,1], of any size.
            frame1: Frames at time 1, of the same shape.

        Raises:
            InvalidValueError: The frames have another shape or type.
        """
        for name, frame in (("frame0", frame0), ("frame1", frame1)):
            if frame.ndim != 4 or frame.shape[1] != 3 or not frame.is_floating_point():
                raise InvalidValueError(
                    f"{name} must be float (N,3,H,W), RGB in [0,1], got {frame.dtype} {tuple(frame.shape)}"
                )
        if frame0.shape != frame1.shape:
            raise InvalidValueError(
                f"both frames must have one shape, got {tuple(frame0.shape)} and {tuple(frame1.shape)}"
            )
        with full_precision(self.device):
            return self.relate(self.encode(frame0.float()), self.encode(frame1.float()))

    def at(self, pair: Pair, t: float | Tensor) -> Tensor:
        """The frames of a pair at a time, or at several.

        Args:
            pair: What `prepare` gave.
            t: A time in [0,1], or times (K,) for a pair whose batch is 1.

        Returns:
            RGB (N,3,H,W), or (K,3,H,W), not clipped.

        Raises:
            InvalidValueError: A time lies outside [0,1].
        """
        times = torch.as_tensor(t, dtype=torch.float32).reshape(-1, 1, 1, 1)
        if not ((times >= 0) & (times <= 1)).all():
            raise InvalidValueError(f"a time must lie in [0,1], got {t}")
        with full_precision(self.device):
            return self.render(pair, times.to(self.device))

    def forward(self, frame0: Tensor, frame1: Tensor, t: float) -> Tensor:
        """The frames at time t between two: `at(prepare(frame0, frame1), t)`."""
        return self.at(self.prepare(frame0, frame1), t)
