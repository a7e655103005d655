"""A sample: one exposure of a clip and what the colour camera and the spike camera saw of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spikesim import SpikeStream
from spikesim.brief import Brief
from spikesim.checks import require_instance, require_mapping, require_whole
from spikesim_datasets.keys import Keyed, check_clip
from spikesim_datasets.misalignment import Misalignment
from spikesim_datasets.optics import ratio_of

MISALIGNED = "misalignment"
"""The field that tells what lies between the cameras of a sample."""

_MOST = 2**31 - 1  # of int32, as which shards store numbers


@dataclass(frozen=True, eq=False, repr=False)
class Sample(Brief, Keyed):
    """One exposure and what was seen of it. Whether its arrays fit together is checked where they are written.

    Attributes:
        split, name: Of its clip.
        window: Which exposure of the clip.
        first_frame: First raw frame of the exposure.
        exposure: (start, stop) of the exposure in the streams.
        blur: RGB uint8 (H, W, 3), the mean of the exposure's frames.
        sharp: RGB uint8 (S, H, W, 3), the raw frames kept as ground truth; S may be 0.
        sharp_readouts: Readouts of the stream at which they lie, (S,).
        spikes: Stream (T, h, w) by threshold, ascending; a pixel of it is `ratio` of the images wide and high.
        extra: Arrays of the optional fields it has, by name; `fields` declares their shapes and types.

    Raises:
        InvalidValueError: A value is of another type, or a number is negative.
    """

    split: str
    name: str
    window: int
    first_frame: int
    exposure: tuple[int, int]
    blur: np.ndarray
    sharp: np.ndarray
    sharp_readouts: tuple[int, ...]
    spikes: Mapping[float, SpikeStream]
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def ratio(self) -> int:
        """How many pixels of the images one of the spikes is wide and high, by their heights.

        Raises:
            InvalidValueError: It is not 1, 2, 4 or 8.
        """
        _, rows, _ = next(iter(self.spikes.values())).shape
        return ratio_of(len(self.blur), rows, f"the blur of {self.key}")

    @property
    def misalignment(self) -> Misalignment | None:
        """What lies between its cameras; None where nothing does.

        Raises:
            InvalidValueError: The field says what is none.
        """
        return Misalignment.of_values(self.extra[MISALIGNED]) if MISALIGNED in self.extra else None

    def __post_init__(self) -> None:
        check_clip(self.split, self.name)
        for number in ("window", "first_frame"):
            require_whole(getattr(self, number), number, 0, _MOST)
        require_mapping(self.spikes, "spikes", "streams by threshold")
        require_mapping(self.extra, "extra", "arrays by name of a field")
        for name, array in {"blur": self.blur, "sharp": self.sharp, **self.extra}.items():
            require_instance(array, name, np.ndarray)
        for v_th, stream in self.spikes.items():
            require_instance(stream, f"spikes of threshold {v_th}", SpikeStream)
