"""The loop that every stage trains in, on one device or several."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from spikesim.errors import SpikesimError
from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig
from ssdm_models.training.log import Log
from ssdm_models.training.sampler import SeededBatches
from ssdm_models.training.state import STATE, State, follow, restore, save_state
from ssdm_models.training.training_set import TrainingSet

_FAILED = "failed.pt"

_SEEDS = 1 << 63

_GRADIENT_DECAY = 0.9  # by step, of Adam's mean of gradients

_SECONDS_BETWEEN_SAVES = 300
_TIMES_SHOWN = 10  # in a training


class TrainingError(SpikesimError, ArithmeticError):
    """Training cannot go on: a loss is no number."""


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is: its steps, all there will be, and the means over the epoch so far.

    Args:
        stage: Its name.
        steps, total: Steps done, and all there will be.
        means: Of the losses, and of the seconds for data and steps, over the epoch so far.
    """

    stage: str
    steps: int
    total: int
    means: dict[str, float]


class Loop:
    """A stage in training: makes steps from the state that is kept in its folder, or from the first.

    Args:
        fabric: Devices and precision, launched.
        objective: What is minimised, on the CPU.
        dataset: Samples.
        config: How.
        folder: For state and logs.
        workers: Processes that read samples, for each device.

    The batch must be a multiple of devices × accumulation.

    Attributes:
        state: The state reached.
        total: Steps of the whole training.

    Raises:
        InputFileError: The state that was kept is damaged.
    """

    def __init__(
        self,
        fabric: Fabric,
        objective: Objective,
        dataset: TrainingSet,
        config: StageConfig,
        folder: Path,
        workers: int,
    ) -> None:
        self._fabric, self._config, self._folder = fabric, config, folder
        self._objective, self._network = objective, objective.network
        # Without decay, it is Adam.
        optimizer = torch.optim.AdamW(
            self._network.parameters(),
            config.learning_rate,
            betas=(_GRADIENT_DECAY, config.square_decay),
            weight_decay=config.weight_decay,
        )
        self.state = self._restored(optimizer)
        self._module, self._optimizer = fabric.setup(objective, optimizer)
        if self.state.mean is not None:
            self.state.mean = {name: weights.to(fabric.device) for name, weights in self.state.mean.items()}
        parts = fabric.world_size * config.accumulate
        first = fabric.global_rank * config.accumulate
        sampler = SeededBatches(
            len(dataset), config.batch, config.epochs, config.seed,
            start=self.state.steps, parts=parts, own=range(first, first + config.accumulate),
        )  # fmt: skip
        self._steps, self.total = sampler.steps, sampler.steps * config.epochs
        loader = DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=fabric.device.type == "cuda",
            generator=torch.Generator(),  # what is random about samples comes with them
        )
        self._loader: Iterable[Batch] = fabric.setup_dataloaders(loader, use_distributed_sampler=False)  # type: ignore[assignment]

    def run(self, deadline: float, on_step: Callable[[StageProgress], None]) -> None:
        """Make steps until the last, or until the time is over.

        Args:
            deadline: Time by `time.monotonic`; the step in which it passes is the last.
            on_step: Called after every step, on the first device alone.

        Raises:
            TrainingError: A loss is no number; the state before that step is kept in `failed.pt`.
            InputFileError: A sample is damaged.
            OutputError: Something cannot be written; the last state that was written is whole.
        """
        batches: Iterator[Batch] = iter(self._loader) if self.state.steps < self.total else iter(())
        saved, over = time.monotonic(), False
        with ExitStack() as stack:
            log = None
            if self._fabric.is_global_zero:
                log = stack.enter_context(closing(Log(self._folder, self.state.steps)))
            while self.state.steps < self.total and not over:
                batch, over = self._step(batches, deadline)
                epoch, done = divmod(self.state.steps, self._steps)
                if log is not None:
                    on_step(self._progress(done or self._steps))
                if not done:
                    self._finish_epoch(epoch)
                    if log is not None:
                        log.epoch(self.state.history)
                        if epoch % max(1, self._config.epochs // _TIMES_SHOWN) == 0:
                            self._show_images(batch, log)
                if not done or over or time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    self._keep(STATE)
                    saved = time.monotonic()

    def trained(self) -> nn.Module:
        """The network on the CPU, with the running mean of its weights where there is one."""
        network = copy.deepcopy(self._network).cpu()
        if self.state.mean is not None:
            with torch.no_grad():
                for name, weights in network.named_parameters():
                    weights.copy_(self.state.mean[name])
        return network

    def _step(self, batches: Iterator[Batch], deadline: float) -> tuple[Batch, bool]:
        """One step of the optimiser; gives the last part of its batch, and whether the time is over."""
        began, waited, samples = time.monotonic(), 0.0, []
        losses: dict[str, Tensor] = {}
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.rate(self.state.steps, self._steps)
        for part in range(self._config.accumulate):
            asked = time.monotonic()
            batch = _next(batches)
            waited += time.monotonic() - asked
            samples += [f"{key} window {window}" for key, window in zip(batch["key"], batch["window"], strict=True)]
            last = part == self._config.accumulate - 1
            with self._fabric.no_backward_sync(self._module, enabled=not last), self._drawing(part):
                found = self._module(batch)
                self._fabric.backward(found["loss"] / self._config.accumulate)
            for name, loss in found.items():
                losses[name] = losses.get(name, torch.zeros(())) + loss.detach().cpu() / self._config.accumulate
        means = self._mean({**losses, "over": torch.tensor(float(time.monotonic() >= deadline))})
        over = means.pop("over") > 0
        if not all(map(math.isfinite, means.values())):
            self._keep(_FAILED)
            raise TrainingError(
                f"the loss of stage {self._config.stage} is {means['loss']} at step {self.state.steps} (epoch "
                f"{self.state.steps // self._steps}), of samples {', '.join(samples)}; the weights before that step "
                f"are kept in {self._folder / _FAILED}. Look at these samples, or lower the learning rate"
            )
        if self._config.clip:  # of the whole batch, all devices and parts together
            self._fabric.clip_gradients(self._module, self._optimizer, max_norm=self._config.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.state.steps += 1
        if self.state.mean is not None:
            follow(self.state.mean, self._network, self._config.ema)
        taken = time.monotonic() - began
        for name, value in {**means, "data_seconds": waited, "step_seconds": taken - waited}.items():
            self.state.sums[name] = self.state.sums.get(name, 0.0) + value
        self.state.seconds += taken
        return batch, over

    @contextmanager
    def _drawing(self, part: int) -> Iterator[None]:
        """Around what draws numbers in training, as dropout does: every part of every step has its own, the same when
        training goes on, and nothing else in the process has others for it."""
        device = self._fabric.device
        numbers = self._config.seed, self.state.steps, part, self._fabric.global_rank
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(hash(numbers) % _SEEDS)
            yield

    def _mean(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """The means over devices."""
        stacked = torch.stack(list(losses.values())).to(self._fabric.device)
        shared = self._fabric.all_reduce(stacked, reduce_op="mean")
        assert isinstance(shared, Tensor)
        return dict(zip(losses, shared.tolist(), strict=True))

    def _progress(self, done: int) -> StageProgress:
        means = {name: total / done for name, total in self.state.sums.items()}
        return StageProgress(self._config.stage, self.state.steps, self.total, means)

    def _finish_epoch(self, epoch: int) -> None:
        """Note the means of an epoch."""
        self.state.history.append({
            "epoch": epoch,
            "step": self.state.steps,
            "learning_rate": self._config.rate(self.state.steps - 1, self._steps),
            **self._progress(self._steps).means,
            "seconds": self.state.seconds,
        })  # fmt: skip
        self.state.sums = {}

    @torch.no_grad()
    def _show_images(self, batch: Batch, log: Log) -> None:
        """Show what the network makes of a batch, which leaves no trace in it."""
        self._network.eval()
        with self._fabric.autocast():
            log.images(self._objective.images(batch), self.state.steps)
        self._network.train()

    def _restored(self, optimizer: torch.optim.Optimizer) -> State:
        """The state that was kept, in network and optimiser as well; else that of the first step."""
        path = self._folder / STATE
        if not path.exists():
            weights = self._network.named_parameters()
            mean = {name: value.detach().clone() for name, value in weights} if self._config.ema else None
            return State({}, mean)
        return restore(path, self._network, optimizer)

    def _keep(self, name: str) -> None:
        if self._fabric.is_global_zero:
            self.state.network = {name: value.cpu() for name, value in self._network.state_dict().items()}
            self.state.optimizer = self._optimizer.state_dict()
            save_state(self._folder / name, self.state)


def _next(batches: Iterator[Batch]) -> Batch:
    """The next batch; an error in a process that reads comes without that process's traceback."""
    try:
        return next(batches)
    except SpikesimError as error:
        raise type(error)(str(error).rpartition(f"{type(error).__qualname__}: ")[2].strip()) from error
