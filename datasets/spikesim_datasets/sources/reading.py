"""What is done with sources that are not what a clip is: frames in even steps of time."""

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from spikesim.checks import require_choice
from spikesim_datasets.sources.numbering import Numbering
from spikesim_datasets.sources.timing import Timing
from spikesim_datasets.videos.colours import Matrix, Transfer


@dataclass(frozen=True)
class Reading:
    """How sources are read that are not plain.

    Args:
        timing: Of a video whose frames are not evenly apart: `refuse` it; `resample`, make readouts at even times from
            the frames before and after them; or `ignore` when its frames are shown.
        numbering: Of the frames in a folder: `refuse` those that are no whole series of numbers, or `ignore` that and
            take them in the order of their names, 2 before 10, see `numbering.order_of_names`.
        interlacing: Of a video whose frames are two half images: `refuse` it, or `ignore` that.
        pixels: Of a video whose pixels are not to be shown as squares: `refuse` it, or `ignore` that.
        matrix: By which the colours of videos are coded: as they say, and as players take it if they do not (`auto`);
            or `bt601`, `bt709` or `bt2020`. RGB and grey have none.
        transfer: What the values of videos mean: as they say (`auto`); `sdr`, taken as they are; or `pq`, `hlg` or
            `linear`, which are converted, see `videos.colours`.

    Raises:
        InvalidValueError: A value is none of these.
    """

    timing: Timing = "refuse"
    numbering: Numbering = "refuse"
    interlacing: Literal["refuse", "ignore"] = "refuse"
    pixels: Literal["refuse", "ignore"] = "refuse"
    matrix: Matrix = "auto"
    transfer: Transfer = "auto"

    def __post_init__(self) -> None:
        for name, choices in get_type_hints(Reading).items():
            require_choice(getattr(self, name), name, get_args(choices))

    def record(self) -> dict[str, str]:
        """What is not as by default, as JSON values."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


STRICT = Reading()
"""Nothing is taken that is not plain."""
