"""The sensor's parameters: threshold, gain, reset, starting charge, noise, clock; and presets with sources."""

import json
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, Self, get_args

from spikesim.errors import InvalidValueError
from spikesim.noise import NOISE_TERMS, NoiseTerm

Reset = Literal["modulo", "subtract", "zero"]
Start = Literal["uniform", "zero", "one_readout"]


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
        start: Charge before the first readout. `uniform`: U[0, v_th), a camera that has been running; `zero`;
            `one_readout`: what one unseen readout of random light U[0, 1) leaves, reset included (the S-SDM release).
        tie_fires: Whether charge exactly equal to v_th fires.
        noise: Noise terms of `spikesim.noise`, at most one of a kind.
        readout_hz: Readouts a second, > 0. Only for telling time; no computation uses it.

    Raises:
        InvalidValueError: A field is outside its range.

    Source:
        Zhao et al., SpikeReveal (S-SDM), NeurIPS 2024, Eq. 1-2; Zhu et al., "A Retina-Inspired Sampling Method for
        Visual Texture Reconstruction", ICME 2019.
    """

    v_th: float = 1.0
    gain: float = 1.0
    reset: Reset = "modulo"
    start: Start = "uniform"
    tie_fires: bool = True
    noise: tuple[NoiseTerm, ...] = ()
    readout_hz: float = 20_000

    def __post_init__(self) -> None:
        for name in ("v_th", "gain", "readout_hz"):
            value = getattr(self, name)
            if not _is_number(value) or not isfinite(value) or value <= 0:
                raise InvalidValueError(f"{name} must be a positive finite number, got {value!r}")
            # One type for equal cameras, whatever number type they were made with: it is written into files.
            object.__setattr__(self, name, float(value))
        for name, allowed in (("reset", get_args(Reset)), ("start", get_args(Start)), ("tie_fires", (True, False))):
            if getattr(self, name) not in allowed:
                raise InvalidValueError(
                    f"{name} must be one of {', '.join(map(repr, allowed))}, got {getattr(self, name)!r}"
                )
        object.__setattr__(self, "noise", tuple(self.noise))
        kinds = [type(term) for term in self.noise]
        for kind in kinds:
            if kind not in NOISE_TERMS.values():
                raise InvalidValueError(f"noise must hold terms of spikesim.noise, got a {kind.__name__}")
            if kinds.count(kind) > 1:
                raise InvalidValueError(f"noise holds {kind.__name__} more than once; give each kind of noise once")

    @staticmethod
    def preset(name: str, **changes: Any) -> "SpikeCamera":
        """The camera of a published simulator, with fields changed as wanted: `SpikeCamera.preset("ssdm", v_th=2)`.

        Args:
            name: A key of `PRESETS`.
            **changes: Fields of `SpikeCamera` to replace.

        Raises:
            InvalidValueError: The name or a field is unknown, or a value is outside its range.
        """
        if name not in PRESETS:
            raise InvalidValueError(f"no camera preset is called {name!r}; there are {', '.join(PRESETS)}")
        unknown = set(changes) - {field.name for field in fields(SpikeCamera)}
        if unknown:
            raise InvalidValueError(
                f"a camera has no field {', '.join(sorted(unknown))}; it has "
                f" {', '.join(f.name for f in fields(SpikeCamera))}"
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


_INHERENT = NOISE_TERMS["InherentSpikes"]()

PRESETS: dict[str, SpikeCamera] = {
    # The mathematics alone.
    "ideal": SpikeCamera(),
    # The simulator of the SpikeReveal (S-SDM) release, whose numbers are published: threshold voltage 2.0 of its code
    # is V_th = 1 of the paper, and one readout of full light adds 250·7.941712e-3 V = 1.985428 V of it.
    "ssdm": SpikeCamera(gain=1.985428051 / 2, reset="modulo", start="one_readout", tie_fires=False, noise=(_INHERENT,)),
    # Spike-Zoo's `video2spike_simulation` with its own default threshold.
    "spikezoo": SpikeCamera(v_th=2.0, reset="subtract"),
    # SpikeCV's video simulator with its own default threshold.
    "spikecv": SpikeCamera(v_th=5.0, reset="subtract"),
}
"""Cameras of published simulators by name. The threshold is each simulator's own default: `preset(name, v_th=...)`."""
