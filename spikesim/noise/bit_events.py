"""Sparse events that add or take away spikes on their way out: when they happen, pixel by pixel."""

from dataclasses import dataclass

from spikesim.noise.distributions import WordTable


@dataclass(frozen=True, eq=False)
class ChanceEvents:
    """Events that are as likely in every readout.

    Attributes:
        purpose: Of their random numbers.
        chance: In a readout, from 0 to 1.
        sets: Whether an event makes the bit a spike, or takes the spike away.
    """

    purpose: int
    chance: float
    sets: bool


@dataclass(frozen=True, eq=False)
class RenewalEvents:
    """Spurious spikes of a renewal process.

    Attributes:
        purpose: Of their random numbers.
        first: Law of the readout of the first.
        interval: Law of the readouts from one to the next, at least 1.
    """

    purpose: int
    first: WordTable
    interval: WordTable


BitEvents = ChanceEvents | RenewalEvents
