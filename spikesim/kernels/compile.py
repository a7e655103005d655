"""How kernels are compiled: cached on disk, without the interpreter lock, and with division that does not branch.

**The cache.** numba takes a compiled kernel from the disk as long as the kernel's own file is unchanged; where a kernel
of another file has changed, which the first one calls, it would run old code. Here a kernel on the disk is one that was
compiled from the same bytes of every source that kernels are made of: those of `spikesim.kernels`, those of the
constants that are compiled into them (random numbers, purposes of noise), and those of the kernel's own folder. Where
the cache lies, and that it lies elsewhere in a read-only installation, is numba's affair. It only saves time: where
there is none, where it cannot be written, or where it is damaged, kernels are compiled.

**What of numba may change.** These are not among what numba promises to keep. The versions that `pyproject.toml` allows
have them; before it allows a newer one, run the tests with that.

- `numba.core.caching`: `FunctionCache` with its `_impl` and `_cache_file`, `IndexDataCacheFile` with its `_index_path`,
  the message of a function that has no place to be kept; `_cache` and `stats` of a dispatcher. Used here. Without them
  kernels run old code after a change, or are compiled in every process (`tests/test_kernel_cache.py`).
- `numba.core.cgutils`, `numba.core.typing.templates`, and of `numba.extending` `lower_builtin`, `lower_cast`, `models`,
  `register_model`, `intrinsic`; llvmlite's typed pointers and the names of LLVM's intrinsics. Used by `lanes` and, some
  of them, by `groups` and `quads`. Without them no kernel of the sensor compiles (`tests/test_lanes.py`), and none that
  interpolates (`tests/test_groups.py`) or renders photos (`tests/test_quads.py`).
- `overload` and `njit` with `inline="always"`. Used by `integration`, and by `inline` here. Without it bits stay equal
  and kernels get slower (`benchmarks/sensor.py`).
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from inspect import getfile
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import is_jitted

_PACKAGE = Path(__file__).parents[1]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, and keep it on disk."""
    return _cached(njit(nogil=True, error_model="numpy")(function))


def inline(function: Callable[..., Any]) -> Any:
    """As `kernel`, but put into the kernels that call it."""
    return _cached(njit(nogil=True, error_model="numpy", inline="always")(function))


def cache_folder(function: Any) -> Path | None:
    """The folder in which a kernel is kept, None where there is none that can be written, or nothing is compiled."""
    path = function.stats.cache_path if is_jitted(function) else None
    return None if path is None else Path(path)


class _SourcesCache(FunctionCache):
    """A kernel on disk, which is taken from there only while all its sources are unchanged."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), _stamp(Path(getfile(function)).parent)
        self._cache_file = IndexDataCacheFile(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what is damaged raises nearly all there is
            self._forget()
            return None  # as for what is missing

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # such as a full disk
            self._forget()

    def _forget(self) -> None:
        """Nothing of the kernel is on disk any more: its index is written first, and may name a file of old code."""
        with suppress(OSError):
            Path(self._cache_file._index_path).unlink()


def _cached(dispatcher: Any) -> Any:
    if is_jitted(dispatcher):  # and no plain function, as with NUMBA_DISABLE_JIT
        try:
            dispatcher._cache = _SourcesCache(dispatcher.py_func)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
    return dispatcher


@cache
def _stamp(folder: Path) -> str:
    """A hash of the sources that the kernels of a folder are made of; once a process, for they are loaded once."""
    return _hash(_shared_sources() | set(folder.glob("*.py")))


@cache
def _shared_sources() -> frozenset[Path]:
    constants = (_PACKAGE / "constants.py", _PACKAGE / "randomness.py")
    return frozenset((*(_PACKAGE / "kernels").glob("*.py"), *(_PACKAGE / "noise").glob("*.py"), *constants))


def _hash(sources: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in sources if path.is_file()):  # a frozen program has none
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
