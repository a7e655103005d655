"""What was found of a clip while its samples were made."""

from dataclasses import dataclass, field
from typing import Literal

from spikesim.checks import require_instance, require_number

Cuts = Literal["keep", "skip"]
"""Whether to keep or skip windows whose stream goes across a scene cut."""


@dataclass
class Diagnostics:
    """What was found of a stretch of a clip.

    Attributes:
        cuts: Raw frames that begin a new scene.
        fast: Raw frames to which motion was too fast.
        left_out: Windows left out because of a cut.
    """

    cuts: list[int] = field(default_factory=list)
    fast: list[int] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)

    def merge(self, other: "Diagnostics") -> "Diagnostics":
        """Those of both stretches, which may overlap.

        Args:
            other: What was found of another stretch of the same clip.

        Raises:
            InvalidValueError: It is no `Diagnostics`.
        """
        require_instance(other, "other", Diagnostics)
        return Diagnostics(
            sorted({*self.cuts, *other.cuts}),
            sorted({*self.fast, *other.fast}),
            sorted({*self.left_out, *other.left_out}),
        )

    def cut_within(self, first: float, last: float) -> bool:
        """Whether a scene ends between two times of the clip, in raw frames.

        Args:
            first, last: In raw frames, also between two of them.

        Raises:
            InvalidValueError: One is no finite number.
        """
        first, last = require_number(first, "first"), require_number(last, "last")
        return any(first < cut and cut - 1 < last for cut in self.cuts)
