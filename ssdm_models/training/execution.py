"""How a training is carried out, which decides nothing about its weights."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from spikesim.checks import parse_device, require_instance, require_number, require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_function
from ssdm_models.training.loop import StageProgress


@dataclass(frozen=True)
class Execution:
    """How a training is carried out.

    Args:
        device: Where to train: `auto`, `cpu`, `cuda` or, of several GPUs, `cuda:N`.
        devices: How many devices share each batch; on a CPU, processes.
        workers: Processes that read samples, for each device.
        max_minutes: No step is begun after so many minutes; None for no limit.
        command: The command line, to be kept with the configuration.
        on_step: Called after every step. With several devices it is sent to another process.

    Raises:
        InvalidValueError: A value is not as above, or several devices are to be one.
    """

    device: str = "auto"
    devices: int = 1
    workers: int = 2
    max_minutes: float | None = None
    command: str = ""
    on_step: Callable[[StageProgress], None] | None = None

    def __post_init__(self) -> None:
        parse_device(self.device)
        object.__setattr__(self, "devices", require_whole(self.devices, "devices", 1))
        object.__setattr__(self, "workers", require_whole(self.workers, "workers", 0))
        require_instance(self.command, "command", str)
        if self.on_step is not None:
            require_function(self.on_step, "on_step")
        if self.max_minutes is not None:
            object.__setattr__(self, "max_minutes", require_number(self.max_minutes, "max_minutes", 0))
        if self.devices > 1 and ":" in self.device:
            raise InvalidValueError(
                f"{self.devices} devices were asked for, but {self.device!r} is one; take 'cuda' for several"
            )

    def tell(self, progress: StageProgress) -> None:
        """Say how far the training is to whoever wants to know.

        Args:
            progress: How far it is.
        """
        if self.on_step is not None:
            self.on_step(progress)


EXECUTION = tuple(field.name for field in fields(Execution))
