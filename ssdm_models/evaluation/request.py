"""What is asked of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spikesim.checks import parse_device, require_flag, require_instance, require_list, require_path, require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.evaluation.outside_methods import outside_names
from ssdm_models.stages import STAGES
from ssdm_models.tensor_checks import require_thresholds


@dataclass(frozen=True)
class Request:
    """What is compared, on which samples.

    Args:
        runs: Run folders of training. The first gives BSN, the teacher, SR, LDN and every other network, as far as they
            are there; of the others, networks that deblur are compared.
        checkpoints: Further files of networks that deblur, ours (`.safetensors`) or as their authors released them;
            rows have their names. A released network sees there what its authors feed it; where those are the spikes
            themselves, a second row has them normalised.
        pretrained: Whether the network that comes with spikesim is compared, as the row `pretrained`.
        methods: Further methods: the name of a stage, such as `red`, and the file of its network, ours or its authors';
            or that of an entry point of another package (`outside_methods`), and the file that is given to it, or None.
            A network of the stage `dasr` upsamples what others show at a quarter of the size.
        v_th: Thresholds; none takes those that every shard has.
        sequence: Whether all times with ground truth are compared, or the middle of the exposure alone.
        limit: Only so many samples, evenly spread; None takes all.
        device: Where networks compute: `auto`, `cpu`, `cuda` or, of several GPUs, `cuda:N`.

    Raises:
        InvalidValueError: Values are not as above.
    """

    runs: Sequence[str | Path] = ()
    checkpoints: Sequence[str | Path] = ()
    pretrained: bool = False
    methods: Sequence[tuple[str, str | Path | None]] = ()
    v_th: Sequence[float] = ()
    sequence: bool = True
    limit: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "v_th": require_thresholds(self.v_th),
            "pretrained": require_flag(self.pretrained, "pretrained"),
            "sequence": require_flag(self.sequence, "sequence"),
            "device": parse_device(self.device),
        }
        if self.limit is not None:
            checked["limit"] = require_whole(self.limit, "limit", 1)
        for name in ("runs", "checkpoints"):
            paths = require_list(getattr(self, name), name, "paths")
            checked[name] = tuple(require_path(path, f"each of {name}") for path in paths)
        methods = [_pair(method) for method in require_list(self.methods, "methods", "pairs of a name and a file")]
        checked["methods"] = tuple(methods)
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def _pair(method: Any) -> tuple[str, Path | None]:
    """The name of a method and its file."""
    try:
        name, path = method
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"each of methods must be a name and a file, got {method!r}") from error
    known = {**STAGES}
    if (name := require_instance(name, "the name of each of methods", str)) not in (*known, *outside_names()):
        raise InvalidValueError(
            f"there is no method {name!r}: neither a stage, {', '.join(known)}, nor one of an installed package "
            f"({', '.join(outside_names()) or 'none offers any'})"
        )
    if path is None and name in known:
        raise InvalidValueError(f"the method {name} is a network, and needs a file; write {name}=FILE")
    return name, None if path is None else require_path(path, "the file of each of methods")


REQUEST = tuple(field.name for field in fields(Request))
"""What an evaluation can be asked."""
