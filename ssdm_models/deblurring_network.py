"""What every network that deblurs has in common, whatever it looks at."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError
from ssdm_models.deblurrer import require_quarter
from ssdm_models.stream_view import StreamView
from ssdm_models.tensor_checks import require_tensor

Renderer = Callable[[Any], Tensor]
"""A network with a blurry image: what `prepare` gives of a time in, sharp images (1, 3, H, W) out."""


class DeblurringNetwork(nn.Module):
    """A network that shows a blurry image's scene as it was at any time, from the image and its spikes.

    `network(blur, seen)` gives sharp images (N, 3, H, W), RGB, not clipped, of blurry ones (N, 3, H, W) and of what
    `prepare` takes of their streams at a time. That is all a network need have; what follows from it is written here.

    Attributes:
        title: What messages call the network.
        length: How many readouts around a time must be in the stream for the time to be shown.
        has_tiles: Whether large images can be computed tile by tile.
        normalised: Whether `prepare` normalises its window of spikes; where not, the network is given 0 and 1.
    """

    title: str
    length: int = 1
    has_tiles: bool = False
    normalised: bool = True

    def prepare(self, spikes: StreamView, time: int) -> Any:
        """What the network takes of a stream to show a time: by default the window around it, (1, length, h, w).

        Args:
            spikes: A view of the stream.
            time: The readout to show.

        Raises:
            InvalidValueError: `spikes` is no view, or the window reaches outside the stream.
        """
        require_instance(spikes, "spikes", StreamView)  # type: ignore[type-abstract]
        window = spikes.normalised_window if self.normalised else spikes.window
        return window(time, self.length)[None]

    def check(self, blur: Tensor, spikes: Tensor) -> None:
        """Check that windows of spikes belong to images.

        Args:
            blur: (N, 3, H, W).
            spikes: (N, length, h, w).

        Raises:
            InvalidValueError: They do not.
        """
        check_sizes(blur, spikes)

    def renderer(self, blur: Tensor) -> Renderer:
        """The network with a blurry image (1, 3, H, W); what depends on the image alone is computed here, once.

        Args:
            blur: RGB (1, 3, H, W) in [0, 1].

        Raises:
            InvalidValueError: It is no such image.
        """
        return lambda seen: self(blur, seen)

    def tiled_renderer(self, blur: Tensor, side: int) -> Renderer:
        """The same, computed in tiles of a side, pixels, with results that are equal but for rounding.

        Args:
            blur: RGB (1, 3, H, W) in [0, 1].
            side: Of the tiles, pixels of the image.

        Raises:
            InvalidValueError: The network has no tiles, or they must be larger.
        """
        raise InvalidValueError(f"{self.title} does not compute in tiles, got tile {side}; leave tile out")


def check_sizes(blur: Tensor, spikes: Tensor) -> None:
    """Check that spikes are a quarter of images in height and width.

    Args:
        blur: (N, 3, H, W).
        spikes: (..., h, w).

    Raises:
        InvalidValueError: They are not.
    """
    require_tensor(blur, "blur", "N 3 H W")
    require_tensor(spikes, "spikes", "...")
    require_quarter(tuple(spikes.shape[2:]), *blur.shape[2:])
