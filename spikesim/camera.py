"""The sensor's parameters: threshold, gain, reset, starting charge, noise, clock."""

import json
from dataclasses import asdict, dataclass, fields, replace
from math import inf, isfinite
from typing import Any, Literal, Self, TypeVar, get_args

from spikesim.errors import InvalidValueError
from spikesim.noise import (
    NOISE_TERMS,
    BitErrors,
    Calibration,
    DarkCurrent,
    DeadPixels,
    DiffusionNoise,
    GainPattern,
    InherentSpikes,
    NoiseTerm,
)

Reset = Literal["modulo", "subtract", "zero"]
T = TypeVar("T")
Start = Literal["uniform", "zero"]


@dataclass(frozen=True)
class SpikeCamera:
    """A spike camera: every pixel integrates light and fires one bit a readout when its charge reaches `v_th`.

        charge += gain · light;   spike = charge ≥ v_th;   charge = reset(charge) where it fired

    Charge is in the unit of `v_th`: full-scale light (1.0) during one readout adds `gain`.

    Args:
        v_th: Firing threshold, > 0, in units of full-scale light per readout (at gain 1).
        gain: Charge that full-scale light adds in one readout, > 0. Light I fires at the rate I·gain/v_th.
        reset: What a spike leaves. `modulo`: the charge modulo v_th (the pixel resets whenever it crosses, crossings
            beyond the first within a readout are lost); `subtract`: charge − v_th (nothing is ever lost, over-exposure
            is remembered); `zero`: nothing (the residue is lost, and with it up to half of the rate).
        start: Charge before the first readout. `uniform`: U[0, v_th), a camera that has been running; `zero`; or a
            number c > 0: U[0, c) modulo v_th, a camera that has not settled.
        tie_fires: Whether charge exactly equal to v_th fires.
        noise: Noise terms of `spikesim.noise`, at most one of a kind.
        readout_hz: Readouts a second, > 0. Only for telling time; no computation uses it.
        sub_ticks: Steps in which a readout's light is added, ≥ 1. With `reset="zero"` the comparator looks after each
            (SpikingSIM: 250); with the other rules it only decides how the sum is rounded.

    Raises:
        InvalidValueError: A field is outside its range.

    Source:
        Chen et al., SpikeReveal (S-SDM), NeurIPS 2024, Eq. 1-2; Zhu et al., "A Retina-Inspired Sampling Method for
        Visual Texture Reconstruction", ICME 2019.
    """

    v_th: float = 1.0
    gain: float = 1.0
    reset: Reset = "modulo"
    start: Start | float = "uniform"
    tie_fires: bool = True
    noise: tuple[NoiseTerm, ...] = ()
    readout_hz: float = 20_000
    sub_ticks: int = 1

    def __post_init__(self) -> None:
        for name in ("v_th", "gain", "readout_hz"):
            value = getattr(self, name)
            if not _is_number(value) or not isfinite(value) or value <= 0:
                raise InvalidValueError(f"{name} must be a positive finite number, got {value!r}")
            # One type for equal cameras, whatever number type they were made with: it is written into files.
            object.__setattr__(self, name, float(value))
        for name, allowed in (("reset", get_args(Reset)), ("tie_fires", (True, False))):
            if getattr(self, name) not in allowed:
                raise InvalidValueError(
                    f"{name} must be one of {', '.join(map(repr, allowed))}, got {getattr(self, name)!r}"
                )
        if self.start not in get_args(Start) and not (_is_number(self.start) and 0 < self.start < inf):  # type: ignore[operator]
            raise InvalidValueError(f"start must be 'uniform', 'zero' or a positive number, got {self.start!r}")
        if isinstance(self.sub_ticks, bool) or not isinstance(self.sub_ticks, int) or not 1 <= self.sub_ticks <= 10_000:
            raise InvalidValueError(f"sub_ticks must be an integer from 1 to 10000, got {self.sub_ticks!r}")
        object.__setattr__(self, "noise", tuple(self.noise))
        kinds = [type(term) for term in self.noise]
        for kind in kinds:
            if kind not in NOISE_TERMS.values():
                raise InvalidValueError(f"noise must hold terms of spikesim.noise, got a {kind.__name__}")
            if kinds.count(kind) > 1:
                raise InvalidValueError(f"noise holds {kind.__name__} more than once; give each kind of noise once")
        self._check_combination()

    def _check_combination(self) -> None:
        """Refuse noise that has no meaning with the rest of the camera."""
        if self.resets_in_ticks:
            for term in self.noise:
                if not isinstance(term, DiffusionNoise | InherentSpikes | BitErrors | DeadPixels):
                    raise InvalidValueError(
                        f"{type(term).__name__} has no meaning inside sub-ticks; leave it out, or take sub_ticks=1"
                    )
        elif self.term(DiffusionNoise) is not None:
            raise InvalidValueError("DiffusionNoise acts on sub-ticks; it needs reset='zero' and sub_ticks > 1")
        if self.term(Calibration) is not None and any(
            isinstance(term, GainPattern | DarkCurrent) for term in self.noise
        ):
            raise InvalidValueError("a Calibration holds gain and dark current; leave GainPattern and DarkCurrent out")

    @property
    def resets_in_ticks(self) -> bool:
        """Whether the comparator looks after every sub-tick."""
        return self.reset == "zero" and self.sub_ticks > 1

    def term(self, kind: type[T]) -> T | None:
        """The noise term of a kind, None where the camera has none."""
        return next((term for term in self.noise if isinstance(term, kind)), None)

    @staticmethod
    def preset(name: str, **changes: Any) -> "SpikeCamera":
        """The camera of a published simulator, with fields changed as wanted: `SpikeCamera.preset("ssdm", v_th=2)`.

        Args:
            name: A key of `spikesim.PRESETS`.
            **changes: Fields of `SpikeCamera` to replace.

        Raises:
            InvalidValueError: The name or a field is unknown, or a value is outside its range.
        """
        from spikesim.presets import PRESETS

        if name not in PRESETS:
            raise InvalidValueError(f"no camera preset is called {name!r}; there are {', '.join(PRESETS)}")
        unknown = set(changes) - {field.name for field in fields(SpikeCamera)}
        if unknown:
            raise InvalidValueError(
                f"a camera has no field {', '.join(sorted(unknown))}; it has "
                f"{', '.join(f.name for f in fields(SpikeCamera))}"
            )
        return replace(PRESETS[name], **changes)

    def to_json(self) -> str:
        """The camera as one line of JSON, which `from_json` reads back to an equal camera."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        record["noise"] = [{"term": type(term).__name__, **asdict(term)} for term in self.noise]
        return json.dumps(record)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The camera that `to_json` wrote.

        Raises:
            InvalidValueError: The text is not a camera.
        """
        try:
            record = json.loads(text)
            terms = [dict(term) for term in record.pop("noise", [])]
            return cls(**record, noise=tuple(NOISE_TERMS[term.pop("term")](**term) for term in terms))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidValueError(f"not a camera description: {error} (in {text[:200]!r})") from error


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool | str)
