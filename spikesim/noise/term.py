"""What all noise terms are: their common base, which also keeps the list of them.

A term says what it is (the name it has in files, the purposes of its random numbers, what it cannot stand beside) and
how it acts: with parameters of a kernel, with maps of the pixels, or with events on the bits. The sensor asks every
term for all of these, so that a term which acts in these ways is known to it by its own file alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np

from spikesim.brief import Brief
from spikesim.checks import plain_number, require_number
from spikesim.errors import InvalidValueError
from spikesim.noise.bit_events import BitEvents
from spikesim.randomness import INITIAL_CHARGE, Crop

NOISE_TERMS: dict[str, type["NoiseTerm"]] = {}
"""Noise terms by the name they have in files."""


class SensorPart(Protocol):
    """The part of a sensor whose pixels a term describes, and the random numbers of its fixed pattern."""

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the part."""
        ...

    @property
    def crop(self) -> Crop:
        """Where it lies in the sensor."""
        ...

    def uniforms(self, purpose: int, draw: int = 0) -> np.ndarray:
        """U[0, 1) of every pixel, float32 (H, W), for a purpose of the term's; another draw gives other ones."""
        ...

    def normals(self, purpose: int, draw: int = 0) -> np.ndarray:
        """N(0, 1) of every pixel, float32 (H, W); as `uniforms`."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class PixelMaps(Brief):
    """What a term makes of the pixels, each None where it leaves them as they are.

    Attributes:
        gain: float32 (H, W), factor of light.
        dark: float32 (H, W), thresholds that gather in a readout without light.
        alive: bool (H, W), whether a pixel ever fires.
    """

    gain: np.ndarray | None = None
    dark: np.ndarray | None = None
    alive: np.ndarray | None = None


@dataclass(frozen=True)
class NoiseTerm:
    """Base of the noise terms: frozen dataclasses, each registered under its name in `NOISE_TERMS` when it is declared.

    Attributes:
        purposes: Numbers of the purposes that its random numbers serve, from 1 to 255. They are nobody else's, and a
            number once given to a purpose stays with it.
        stands_for: Names of terms that it replaces, which a camera cannot have beside it.
        in_sub_ticks: Whether it has a meaning for a comparator that looks after every sub-tick: `never`, `also`, or
            `only` there.

    Raises:
        InvalidValueError: A class is declared with the name or a purpose of another, or a purpose that is none.
    """

    purposes: ClassVar[tuple[int, ...]] = ()
    stands_for: ClassVar[tuple[str, ...]] = ()
    in_sub_ticks: ClassVar[Literal["never", "also", "only"]] = "never"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.__name__ in NOISE_TERMS:
            raise InvalidValueError(f"there is a noise term called {cls.__name__} already; choose another name")
        taken = {INITIAL_CHARGE: "the starting charge"}
        taken |= {purpose: term.__name__ for term in NOISE_TERMS.values() for purpose in term.purposes}
        for purpose in cls.purposes:
            if purpose in taken:
                free = next(number for number in range(1, 256) if number not in taken)
                raise InvalidValueError(
                    f"purpose {purpose} of {cls.__name__} is that of {taken[purpose]}; the next free one is {free}"
                )
            if not 1 <= purpose <= 255:
                raise InvalidValueError(f"purposes are numbers from 1 to 255, got {purpose!r} of {cls.__name__}")
            taken[purpose] = cls.__name__
        NOISE_TERMS[cls.__name__] = cls

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The term that a file describes, by its fields.

        Args:
            record: Its fields, as JSON values.

        Raises:
            InvalidValueError: A value is not as the term wants it.
            TypeError: There is too little or too much of it.
        """
        return cls(**record)

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        """The fields of `kernels.integration.Noise` that it sets, for a camera of this threshold.

        Args:
            v_th: Threshold of the camera, in full-scale light per readout.
        """
        return {}

    def tick_parameters(self) -> dict[str, Any]:
        """The fields of `kernels.sub_ticks.LightSteps` that it sets."""
        return {}

    def pixel_maps(self, part: SensorPart) -> PixelMaps:
        """What it makes of the pixels: the same for every stream of one sensor.

        Args:
            part: Which pixels of which sensor.
        """
        return PixelMaps()

    def bit_events(self) -> tuple[BitEvents, ...]:
        """What it does to bits after they were fired, of which the charge knows nothing."""
        return ()

    def _require(self, name: str, least: float, most: float, unit: str = "") -> None:
        """Refuse a field outside its range, and keep it in Python's own type, as it is written into files."""
        value = getattr(self, name)
        require_number(value, f"{name} of {type(self).__name__}", least, most, unit=unit)
        object.__setattr__(self, name, plain_number(value))


def acting_order(terms: Iterable[NoiseTerm]) -> list[NoiseTerm]:
    """Terms in the order in which they act, which is that of their purposes, in whatever order a camera holds them."""
    return sorted(terms, key=lambda term: term.purposes)
