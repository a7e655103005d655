"""EDSR: super-resolution from the spike camera's size to the colour camera's."""

from torch import Tensor, nn

from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_tensor

_CHANNELS = 64
_MEAN = 0.446  # grey of natural images


class EDSR(nn.Module):
    """Enhanced deep super-resolution network, ×4, of one channel.

    The mean of natural images is taken off first and put back last, by fixed 1×1 convolutions that count as parameters
    in the released network and here, but are never trained.

    Attributes:
        title: What messages call the network.

    Source:
        Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017.
    """

    title = "EDSR"

    def __init__(self) -> None:
        super().__init__()
        self.subtract_mean = _offset(-_MEAN)
        self.head = _conv(1, _CHANNELS)
        self.blocks = nn.ModuleList(
            nn.Sequential(_conv(_CHANNELS, _CHANNELS), nn.ReLU(), _conv(_CHANNELS, _CHANNELS)) for _ in range(16)
        )
        self.neck = _conv(_CHANNELS, _CHANNELS)
        self.tail = nn.Sequential(
            _conv(_CHANNELS, 4 * _CHANNELS),
            nn.PixelShuffle(2),
            _conv(_CHANNELS, 4 * _CHANNELS),
            nn.PixelShuffle(2),
            _conv(_CHANNELS, 1),
        )
        self.add_mean = _offset(_MEAN)

    def forward(self, image: Tensor) -> Tensor:
        """The image at four times its size.

        Args:
            image: Grey images (N, 1, h, w) in [0, 1].

        Returns:
            Grey images (N, 1, 4h, 4w), not clipped.

        Raises:
            InvalidValueError: The image is no such tensor, or has another number of channels.
        """
        require_tensor(image, "image", "...", like=self.head.weight)
        if image.ndim != 4 or image.shape[1] != 1:
            raise InvalidValueError(f"EDSR takes grey images (N, 1, h, w), got {tuple(image.shape)}")
        shallow = deep = self.head(self.subtract_mean(image))
        for block in self.blocks:
            deep = deep + block(deep)
        upsampled: Tensor = self.add_mean(self.tail(shallow + self.neck(deep)))
        return upsampled


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _offset(value: float) -> nn.Conv2d:
    """A 1×1 convolution of weight 1 that adds a constant."""
    offset = nn.Conv2d(1, 1, 1)
    nn.init.ones_(offset.weight)
    nn.init.constant_(offset.bias, value)  # type: ignore[arg-type]
    return offset.requires_grad_(False)
