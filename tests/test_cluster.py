"""Builds on a Dask cluster on this machine: the same dataset, whoever is killed meanwhile."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import build_data
import commands
import pytest
from build_data import LONGER, assert_whole, command, content, leftovers, recipe, wait_until
from commands import Run, assert_refused

from spikesim.errors import ClusterError, InputFileError, InvalidValueError, MissingExtraError
from spikesim_datasets.build import build_clips
from spikesim_datasets.cluster import open_scheduler
from spikesim_datasets.progress import Progress, Tally
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import open_clips

longer, run, source = build_data.longer, commands.run, build_data.source


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self._folder = folder
        quiet = ("--no-dashboard", "--scheduler-file", self.file)
        self.scheduler = self._start("scheduler", "--port", 0, "--host", "127.0.0.1", *quiet)
        wait_until(lambda: self.file.exists() and self.file.read_text().endswith("}"), 60)
        alone = ("--nthreads", 1, "--no-nanny", "--local-directory", folder)
        self.workers = [self._start("worker", *alone, *quiet) for _ in range(2)]

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def _start(self, kind: str, *words: object) -> subprocess.Popen[bytes]:
        called = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, words)]
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            called,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": path},
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One that may be killed."""
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed(longer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    out = tmp_path_factory.mktemp("undisturbed")
    build_clips(open_clips([longer]), out, LONGER, workers=1)
    return content(out)


def test_the_workers_of_a_scheduler_make_the_same(source: Path, cluster: Cluster, tmp_path: Path) -> None:
    build_clips(open_clips([source]), tmp_path / "here", recipe(), workers=1)
    for name in (str(cluster.file), cluster.address):
        told: list[Progress] = []
        with open_scheduler(name) as scheduler:
            report = build_clips(
                open_clips([source]), tmp_path / "there", recipe(), workers=scheduler, on_progress=told.append
            )
        assert content(tmp_path / "there") == content(tmp_path / "here")
        assert_whole(tmp_path / "there")
        assert told[-1].done == told[-1].total
        assert report.built in (6, 0)  # by the second name all is there


def test_workers_tell_how_far_they_are(cluster: Cluster) -> None:
    told: list[int] = []
    with open_scheduler(cluster.address) as scheduler:
        pool = scheduler.pool(Tally([("a", 50)], 0, lambda progress: told.append(progress.done)))
        pool.submit("unit", slow_unit, 0)
        assert list(pool.results()) == [("unit", "made")]
    assert told[0] == 0
    assert any(0 < done < 50 for done in told)
    assert told[-1] == 50


def slow_unit(on_readout: Callable[[], None]) -> str:
    """For two seconds at least: workers tell once a second."""
    import time

    for _ in range(50):
        time.sleep(0.05)
        on_readout()
    return "made"


def test_the_command_takes_a_local_cluster(source: Path, run: Run, tmp_path: Path) -> None:
    words = ("build", source, "--interp", "linear", "--shard-samples", 1, "--factor", 4, "--exposure-frames", 3)
    assert run(*words, "--out", tmp_path / "here", "--workers", 1).code == 0
    result = run(*words, "--out", tmp_path / "there", "--scheduler", "local:2", "--json")
    assert (result.code, result.json["built"]) == (0, result.json["samples"])
    assert content(tmp_path / "there") == content(tmp_path / "here")


# Ended from outside


def started(longer: Path, out: Path, cluster: Cluster) -> subprocess.Popen[str]:
    words = ("--interp", "linear", "--factor", 4, "--shard-samples", 1, "--scheduler", cluster.file)
    return subprocess.Popen(
        command("build", longer, "--out", out, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def assert_goes_on(longer: Path, out: Path, undisturbed: dict[Any, Any]) -> None:
    """What is there is whole, and running again finishes it."""
    assert content(out).items() <= undisturbed.items()
    build_clips(open_clips([longer]), out, LONGER, workers=1)
    assert content(out) == undisturbed
    assert_whole(out)


@pytest.mark.long
def test_a_killed_worker_is_done_without(
    longer: Path, own_cluster: Cluster, tmp_path: Path, undisturbed: dict[Any, Any]
) -> None:
    out = tmp_path / "out"
    build = started(longer, out, own_cluster)
    wait_until(lambda: shard_files(out), 60)
    own_cluster.workers[0].kill()
    own_cluster.workers[0].wait()
    stdout, stderr = build.communicate(timeout=120)
    assert (build.returncode, stdout) == (0, ""), stderr
    assert content(out) == undisturbed
    assert_whole(out)


@pytest.mark.long
def test_a_killed_scheduler_ends_the_build_in_one_line(
    longer: Path, own_cluster: Cluster, tmp_path: Path, undisturbed: dict[Any, Any]
) -> None:
    out = tmp_path / "out"
    build = started(longer, out, own_cluster)
    wait_until(lambda: shard_files(out), 60)
    own_cluster.scheduler.kill()
    stdout, stderr = build.communicate(timeout=120)
    assert (build.returncode, stdout) == (2, "")
    assert f"Error: the scheduler at {own_cluster.file} is gone; finished shards are kept" in stderr
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) <= 4
    own_cluster.close()
    assert_goes_on(longer, out, undisturbed)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_ended_client_leaves_nothing(
    longer: Path, own_cluster: Cluster, tmp_path: Path, undisturbed: dict[Any, Any], number: signal.Signals
) -> None:
    out = tmp_path / "out"
    build = started(longer, out, own_cluster)
    wait_until(lambda: shard_files(out), 60)
    os.kill(build.pid, number)
    _, stderr = build.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert build.returncode == 128 + number
        assert stderr.strip().splitlines()[-1].startswith("Interrupted.")
        assert "Traceback" not in stderr
    # Workers finish what they are at, and the cluster is ready for the next build.
    assert_goes_on(longer, out, undisturbed)
    again = tmp_path / "again"
    build = started(longer, again, own_cluster)
    build.communicate(timeout=120)
    assert build.returncode == 0
    assert content(again) == undisturbed
    assert leftovers(out) == []


def end_this_process(**_: object) -> None:
    os._exit(1)


def test_work_that_ends_every_worker_is_given_up() -> None:
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), open_scheduler("local:1") as scheduler:
        pool = scheduler.pool(Tally([("a", 1)], 0, lambda progress: None))
        pool.submit("unit", end_this_process, 0)
        with pytest.raises(ClusterError, match=r"several workers were lost .* want of memory; finished shards are"):
            list(pool.results())


def test_workers_without_the_same_spikesim(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("def work(**_): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("only_here").work
    with open_scheduler(cluster.address) as scheduler:
        pool = scheduler.pool(Tally([("a", 1)], 0, lambda progress: None))
        pool.submit("unit", work, 0)
        with pytest.raises(ClusterError, match=r"do not understand the work .*only_here.*need spikesim \d"):
            list(pool.results())


# What is refused


@pytest.mark.parametrize(
    "name", ["tcp://", "localhost:8786", "local:0", "local:", "local:two", "tcp://a b:1", "http://a:1"]
)
def test_what_names_no_scheduler(name: str) -> None:
    with (
        pytest.raises(InvalidValueError, match=r"a scheduler is tcp://HOST:PORT, .* or local:N, got "),
        open_scheduler(name),
    ):
        pass


def test_schedulers_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikesim_datasets.cluster._PATIENCE", 0.5)
    problem = r"no scheduler answers at tcp://127\.0\.0\.1:1 .*`dask scheduler`"
    with pytest.raises(ClusterError, match=problem), open_scheduler("tcp://127.0.0.1:1"):
        pass
    for text, error in (("{", InputFileError), ('{"address": 3}', InvalidValueError), ("[]", InvalidValueError)):
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(error, match=r"s\.json"), open_scheduler(str(tmp_path / "s.json")):
            pass
    with pytest.raises(InputFileError, match=r"none\.json"), open_scheduler(str(tmp_path / "none.json")):
        pass


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    problem = r"a scheduler needs distributed; pip install 'spikesim\[cluster\]'"
    with pytest.raises(MissingExtraError, match=problem), open_scheduler("local:1"):
        pass


def test_workers_and_a_scheduler(run: Run, source: Path, tmp_path: Path) -> None:
    words = ("build", source, "--out", tmp_path, "--workers", 2, "--scheduler", "local:2")
    assert_refused(run(*words), "--workers", "those of a --scheduler are started elsewhere")
