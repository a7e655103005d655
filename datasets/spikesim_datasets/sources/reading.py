"""What is done with sources that are not what a clip is: frames in even steps of time."""

from dataclasses import dataclass
from typing import get_args

from spikesim.checks import require_choice
from spikesim_datasets.sources.numbering import Numbering


@dataclass(frozen=True)
class Reading:
    """How sources are read that are not plain.

    Args:
        numbering: Of the frames in a folder: `refuse` those that are no whole series of numbers, or `ignore` that and
            take them in natural order, 2 before 10.

    Raises:
        InvalidValueError: A value is none of these.
    """

    numbering: Numbering = "refuse"

    def __post_init__(self) -> None:
        require_choice(self.numbering, "numbering", get_args(Numbering))


STRICT = Reading()
"""Nothing is taken that is not plain."""
