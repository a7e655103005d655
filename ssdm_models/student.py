"""What a network must have to learn from the teacher of S-SDM."""

from abc import abstractmethod

from torch import Tensor

from ssdm_models.deblurring_network import DeblurringNetwork


class Student(DeblurringNetwork):
    """A network that deblurs with a window of normalised spikes around a time, `length` of them."""

    @abstractmethod
    def sequence(self, blur: Tensor, spikes: Tensor) -> Tensor:
        """The sharp images at several times: each blurry image is encoded once.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1].
            spikes: Windows of normalised spikes (N, S, `length`, H/4, W/4), as `windows.windows` cuts them.

        Returns:
            Sharp images (N, S, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: They are no such tensors, or not of one size.
        """
