"""What is done with sources that are not what a clip is: frames in even steps of time."""

from dataclasses import dataclass
from typing import get_args

from spikesim.checks import require_choice
from spikesim_datasets.sources.numbering import Numbering
from spikesim_datasets.sources.timing import Timing


@dataclass(frozen=True)
class Reading:
    """How sources are read that are not plain.

    Args:
        timing: Of a video whose frames are not evenly apart: `refuse` it; `resample`, make readouts at even times from
            the frames before and after them; or `ignore` when its frames are shown.
        numbering: Of the frames in a folder: `refuse` those that are no whole series of numbers, or `ignore` that and
            take them in natural order, 2 before 10.

    Raises:
        InvalidValueError: A value is none of these.
    """

    timing: Timing = "refuse"
    numbering: Numbering = "refuse"

    def __post_init__(self) -> None:
        require_choice(self.timing, "timing", get_args(Timing))
        require_choice(self.numbering, "numbering", get_args(Numbering))


STRICT = Reading()
"""Nothing is taken that is not plain."""
