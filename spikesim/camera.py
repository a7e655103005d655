"""The sensor's parameters: threshold, gain, reset, starting charge, noise, clock."""

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, TypeVar, get_args

from spikesim.camera_files import read_fields, write_fields
from spikesim.checks import (
    plain_number,
    require_choice,
    require_flag,
    require_instance,
    require_list,
    require_number,
    require_path,
    require_whole,
)
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import parse_json
from spikesim.noise import NOISE_TERMS, NoiseTerm
from spikesim.presets import PRESET_FIELDS

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
            # One type for equal cameras, whatever number type they were made with: it is written into files.
            self._set(name, require_number(getattr(self, name), name, above=0))
        require_choice(self.reset, "reset", get_args(Reset))
        if not isinstance(self.start, str):
            require_number(self.start, "start, where it is neither 'uniform' nor 'zero',", above=0)
            self._set("start", plain_number(self.start))
        elif self.start not in get_args(Start):
            raise InvalidValueError(f"start must be 'uniform', 'zero' or a positive number, got {self.start!r}")
        self._set("tie_fires", require_flag(self.tie_fires, "tie_fires"))
        self._set("sub_ticks", require_whole(self.sub_ticks, "sub_ticks", 1, 10_000))
        self._set("noise", tuple(require_list(self.noise, "noise", "terms of spikesim.noise")))
        self._check_noise()

    def __repr__(self) -> str:
        """A preset with its threshold where it is one, else the fields that are not those of an ideal camera."""
        for name in sorted(PRESETS, key=lambda name: PRESETS[name].v_th != self.v_th):
            if name != "ideal" and self == SpikeCamera.preset(name, v_th=self.v_th):
                changed = "" if self.v_th == PRESETS[name].v_th else f", v_th={self.v_th!r}"
                return f"SpikeCamera.preset({name!r}{changed})"
        changes = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return f"SpikeCamera({', '.join(f'{name}={getattr(self, name)!r}' for name in changes)})"

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from spikesim.notebook import shown_in_notebook

        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        noise = ", ".join(map(str, self.noise)) or "none"
        return shown_in_notebook(repr(self), {**facts, "noise": noise})

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_noise(self) -> None:
        """Refuse noise that is none, or has no meaning with the rest of the camera."""
        kinds = [type(term) for term in self.noise]
        for kind in kinds:
            if kind not in NOISE_TERMS.values():
                raise InvalidValueError(f"noise must hold terms of spikesim.noise, got a {kind.__name__}")
            if kinds.count(kind) > 1:
                raise InvalidValueError(f"noise holds {kind.__name__} more than once; give each kind of noise once")
            if kind.in_sub_ticks == "never" and self.resets_in_ticks:
                raise InvalidValueError(
                    f"{kind.__name__} has no meaning inside sub-ticks; leave it out, or take sub_ticks=1"
                )
            if kind.in_sub_ticks == "only" and not self.resets_in_ticks:
                raise InvalidValueError(f"{kind.__name__} acts on sub-ticks; it needs reset='zero' and sub_ticks > 1")
            if {other.__name__ for other in kinds}.intersection(kind.stands_for):
                raise InvalidValueError(
                    f"{kind.__name__} stands for {' and '.join(kind.stands_for)}; leave {kind.__name__} out, or these"
                )

    @property
    def resets_in_ticks(self) -> bool:
        """Whether the comparator looks after every sub-tick."""
        return self.reset == "zero" and self.sub_ticks > 1

    def term(self, kind: type[T]) -> T | None:
        """The noise term of a kind, None where the camera has none.

        Args:
            kind: Class of the term, such as `spikesim.noise.ShotNoise`.

        Raises:
            InvalidValueError: It is no kind of noise term.
        """
        require_instance(kind, "kind", type, "a class of spikesim.noise")
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
        if not isinstance(name, str) or name not in PRESETS:
            raise InvalidValueError(f"no camera preset is called {name!r}; there are {', '.join(PRESETS)}")
        unknown = set(changes) - {field.name for field in fields(SpikeCamera)}
        if unknown:
            raise InvalidValueError(
                f"a camera has no field {', '.join(sorted(unknown))}; it has "
                f"{', '.join(f.name for f in fields(SpikeCamera))}"
            )
        return replace(PRESETS[name], **changes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the camera as a TOML file, which `load` reads back to an equal camera: all fields, and no preset.

        A `Calibration` is written by its hash and its path as seen from the file, so that both may be moved together.

        Args:
            path: Of the file, `.toml`; one that is there is replaced.

        Raises:
            InvalidValueError: The name does not end in `.toml`, or a noise term holds what TOML cannot say.
            OutputError: The file cannot be written; what was there before is untouched.
        """
        write_fields(require_path(path), {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The camera in a file.

        Args:
            path: A TOML file, as `save` writes it or as docs/physics.md describes it; or a `.npz` that `spikesim
                calibrate` wrote, which stands for `calibrated(SpikeCamera.preset("realistic"), path)`.

        Raises:
            InvalidValueError: `path` is no path.
            InputFileError: The file is missing or describes no camera, or the calibration that it refers to is missing,
                damaged, or another than the one meant.
        """
        path = require_path(path)
        try:
            return cls(**read_fields(path, [field.name for field in fields(cls)]))
        except InvalidValueError as error:
            raise InputFileError(f"{path} describes no camera: {error}") from error

    def to_json(self) -> str:
        """The camera as one line of JSON, which `from_json` reads back to an equal camera."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        record["noise"] = [{"term": type(term).__name__, **asdict(term)} for term in self.noise]
        return json.dumps(record)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The camera that `to_json` wrote.

        Args:
            text: JSON.

        Raises:
            InvalidValueError: The text is not a camera.
        """
        require_instance(text, "the description of a camera", str)
        try:
            record = parse_json(text)
            terms = [dict(term) for term in record.pop("noise", [])]
            return cls(**record, noise=tuple(NOISE_TERMS[term.pop("term")].from_record(term) for term in terms))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidValueError(f"not a camera description: {error} (in {text[:200]!r})") from error


PRESETS: dict[str, SpikeCamera] = {name: SpikeCamera(**given) for name, given in PRESET_FIELDS.items()}
"""Cameras of published simulators and of the real one, by name."""
