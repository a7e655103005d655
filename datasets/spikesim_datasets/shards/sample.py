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

_SHOWN = 21  # readouts that the images of a notebook average
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

    def sharp_near(self, readout: int) -> tuple[int, np.ndarray] | None:
        """The readout at which the nearest ground truth lies, and its frame (H, W, 3); None where there is none.

        Args:
            readout: Of the stream.

        Raises:
            InvalidValueError: The readout is no whole number.
        """
        wanted = require_whole(readout, "readout")
        if not self.sharp_readouts:
            return None
        nearest = min(range(len(self.sharp)), key=lambda i: abs(self.sharp_readouts[i] - wanted))
        return self.sharp_readouts[nearest], self.sharp[nearest]

    def _repr_html_(self) -> str:
        """What a notebook shows of it: blur, the truth nearest to its middle, and the TFP of 21 readouts there."""
        from spikesim import as_light, tfp
        from spikesim.notebook import shown_in_notebook

        middle = sum(self.exposure) // 2
        images = [("blur", self.blur)]
        if near := self.sharp_near(middle):
            images.append((f"sharp at {near[0]}", near[1]))
        for v_th, stream in self.spikes.items():
            window = min(_SHOWN, len(stream))
            centre = int(np.clip(middle, window // 2, len(stream) - window + window // 2))
            images.append((f"V_th {v_th:g}: TFP of {window}", as_light(tfp(stream, centre, window), stream.camera)))
        start, stop = self.exposure
        facts = {
            "clip": self.key,
            "window": self.window,
            "exposure": f"readouts {start} to {stop - 1}",
            "sharp at": ", ".join(map(str, self.sharp_readouts)) or "none",
            "fields": ", ".join(self.extra) or "none",
        }
        return shown_in_notebook("Sample", facts, images)

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
