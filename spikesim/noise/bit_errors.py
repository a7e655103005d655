"""Bits that are wrong."""

from dataclasses import dataclass

from spikesim.noise.bit_events import BitEvents, ChanceEvents
from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class BitErrors(NoiseTerm):
    """Bits that get lost or appear between pixel and file; the charge knows nothing of them.

    Args:
        drop: Probability that a spike is lost, from 0 to 1. Measured: 8e-7.
        false: Probability that an empty readout becomes a spike, from 0 to 1. Measured: below 1.6e-7.

    Raises:
        InvalidValueError: A value is outside its range.
    """

    drop: float = 8e-7
    false: float = 0.0

    purposes = (4, 5)
    in_sub_ticks = "also"

    def __post_init__(self) -> None:
        self._require("drop", 0, 1)
        self._require("false", 0, 1)

    def bit_events(self) -> tuple[BitEvents, ...]:
        dropped, false = self.purposes
        events = ChanceEvents(dropped, self.drop, sets=False), ChanceEvents(false, self.false, sets=True)
        return tuple(event for event in events if event.chance > 0)
