"""Builds on a Dask cluster: the workers of a scheduler make the units of a build and say how far they are."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import spikesim
from spikesim.checks import require_instance
from spikesim.errors import ClusterError, InvalidValueError, MissingExtraError
from spikesim.input_files import read_json
from spikesim_datasets.progress import Tally
from spikesim_datasets.work_pools import CountingPool, ExecutorPool, PoolExecutor, Work, done_alone

_PATIENCE = 10  # seconds for a scheduler to answer
_BETWEEN_REPORTS = 1.0  # seconds: a thousand workers send a thousand short messages in one


@contextmanager
def open_scheduler(address: str) -> Iterator["DaskExecutor"]:
    """An executor for `build.build_clips` that has the workers of a Dask scheduler make the units of a build.

    The workers need this version of spikesim and see the same files under the same names. Their units are counted as
    they are made. A worker that is lost has its unit made again by another; finished shards stay in any case.

    Args:
        address: `tcp://HOST:PORT` or `tls://HOST:PORT` of a scheduler; the name of the `.json` file that it writes
            (`dask scheduler --scheduler-file FILE.json`); or `local:N` for a scheduler and N workers of one thread on
            this machine, which are gone afterwards.

    Raises:
        InvalidValueError: It is none of these.
        InputFileError: The file is missing or damaged.
        ClusterError: No scheduler answers there.
        MissingExtraError: Dask is not installed.
    """
    require_instance(address, "scheduler", str)
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"a scheduler needs {error.name}; pip install 'spikesim[cluster]'") from error
    for name in ("distributed", "distributed.client", "distributed.core", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say what went wrong
    with ExitStack() as stack:
        if local := re.fullmatch(r"local:([1-9][0-9]{0,3})", address):
            where = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=int(local[1]),
                    threads_per_worker=1,
                    dashboard_address=":0",
                    silence_logs=logging.CRITICAL,
                )
            ).scheduler_address
        elif address.endswith(".json"):
            where = _address_in(Path(address))
        elif re.fullmatch(r"(tcp|tls)://\S+:[0-9]+", address):
            where = address
        else:
            raise InvalidValueError(
                f"a scheduler is tcp://HOST:PORT, tls://HOST:PORT, the name of its .json file, or local:N, got "
                f"{address!r}"
            )
        try:
            client = stack.enter_context(distributed.Client(where, timeout=_PATIENCE))
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"no scheduler answers at {where} ({error}); start one with `dask scheduler`, and workers with "
                f"`dask worker {where}`"
            ) from error
        yield DaskExecutor(client, address)


def _address_in(path: Path) -> str:
    """The address in the file of a scheduler."""
    record = read_json(path)
    return str(
        require_instance(
            require_instance(record, f"what {path} holds", dict).get("address"), f"the address in {path}", str
        )
    )


class DaskExecutor(PoolExecutor):
    """The workers of a Dask scheduler, as `open_scheduler` finds them.

    Attributes:
        address: As it was given.
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client, self.address = client, address
        self._tasks = client.get_executor(pure=False)

    @property
    def workers(self) -> int:
        """Units that are made at a time: threads of the workers that are there now, at least 1."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`."""
        return self._tasks.submit(function, *arguments, **named)

    def pool(self, tally: Tally) -> "ExecutorPool":
        """See `PoolExecutor.pool`."""
        return _DaskPool(self, tally, self._client)


class _DaskPool(CountingPool):
    """The units of a build on the workers of a scheduler."""

    def __init__(self, executor: DaskExecutor, tally: Tally, client: Any) -> None:
        super().__init__(executor, tally)
        self._address, self._topic = executor.address, f"spikesim-{uuid4()}"
        self._counts: dict[int, int] = {}
        client.subscribe_topic(self._topic, self._note)

    def submit(self, name: Any, work: Work, place: int | None = None) -> None:
        self._add(name, place, _reporting, work, self._topic, place)

    def results(self) -> Iterator[tuple[Any, Any]]:
        from distributed import KilledWorker

        try:
            yield from super().results()
        except CancelledError as error:
            raise ClusterError(
                f"the scheduler at {self._address} is gone; finished shards are kept, run again when it is back"
            ) from error
        except RuntimeError as error:
            if "deserializ" not in str(error):
                raise
            raise ClusterError(
                f"the workers of the scheduler at {self._address} do not understand the work "
                f"({error.__cause__ or error}); they need spikesim {spikesim.__version__} and its packages, as here"
            ) from error
        except KilledWorker as error:
            raise ClusterError(
                f"several workers were lost one after the other while they made the same ({error.task}), perhaps for "
                "want of memory; finished shards are kept, run again with fewer workers on each machine"
            ) from error

    def _reached(self) -> Iterable[tuple[int, int]]:
        return list(self._counts.items())

    def _note(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take what a worker says; this is called in another thread, which must not tell of progress."""
        _, said = event
        self._counts[said["place"]] = said["count"]


def _reporting(work: Work, topic: str, place: int | None) -> Any:
    """Do the work in a worker of Dask, which says now and then how many readouts it has made."""
    if place is None:
        return done_alone(work)
    from distributed import get_worker

    worker, made, due = get_worker(), 0, time.monotonic() + _BETWEEN_REPORTS

    def count() -> None:
        nonlocal made, due
        made += 1
        if (now := time.monotonic()) >= due:
            due = now + _BETWEEN_REPORTS
            worker.log_event(topic, {"place": place, "count": made})

    return done_alone(partial(work, on_readout=count))
