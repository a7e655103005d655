"""A registry of stages, which imports what declares one when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError

if TYPE_CHECKING:
    from ssdm_models.stages.stage_spec import StageSpec, Task

ALL = "all"
"""In place of a stage's name: those of the default run."""


class Stages(Mapping[str, "StageSpec"]):
    """Stages by name, in order.

    Args:
        modules: Modules that declare a stage of that name, as `SPEC`.

    Raises:
        InvalidValueError: It is no mapping.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._found: dict[str, StageSpec | str] = dict(require_instance(modules, "modules", Mapping))  # type: ignore[type-abstract]

    def __getitem__(self, name: str) -> "StageSpec":
        found = self._found[name]
        if isinstance(found, str):
            found = self._found[name] = import_module(found).SPEC
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._found

    def register(self, spec: "StageSpec") -> None:
        """Add a stage, as the last.

        Args:
            spec: The stage.

        Raises:
            InvalidValueError: There is one of its name, or one whose released file is of its kind, or it is no stage.
        """
        from ssdm_models.stages.stage_spec import StageSpec  # needs torch, as whoever has one

        require_instance(spec, "spec", StageSpec)
        if spec.name in self or spec.name == ALL:
            raise InvalidValueError(f"there is a stage {spec.name!r} already; give this one another name")
        for other in self.values():
            if spec.released is not None and other.released is not None and other.released.kind == spec.released.kind:
                raise InvalidValueError(
                    f"files of the kind {spec.released.kind!r} are those of the stage {other.name!r}; give this one "
                    "another kind"
                )
        self._found[spec.name] = spec

    def unregister(self, name: str) -> None:
        """Take a stage out.

        Args:
            name: Of the stage.

        Raises:
            InvalidValueError: There is none of that name.
        """
        self.find(name)
        del self._found[name]

    def find(self, name: str) -> "StageSpec":
        """The stage of a name.

        Args:
            name: Of the stage.

        Raises:
            InvalidValueError: There is none.
        """
        if name not in self:
            raise InvalidValueError(f"stage must be one of {', '.join(self)}, got {name!r}")
        return self[name]

    @property
    def default(self) -> tuple[str, ...]:
        """Those that are trained where none is named."""
        return tuple(name for name, spec in self.items() if spec.in_default_run)

    def of_task(self, task: "Task") -> tuple[str, ...]:
        """Those whose networks do this; none where no stage has such a task.

        Args:
            task: What networks are for.

        Raises:
            InvalidValueError: It is no text.
        """
        require_instance(task, "task", str)
        return tuple(name for name, spec in self.items() if spec.task == task)
