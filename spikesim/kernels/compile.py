"""How kernels are compiled: cached on disk, without the interpreter lock, and with division that does not branch.

**The cache.** numba takes a compiled kernel from the disk as long as the kernel's own file is unchanged; where a kernel
of another file has changed, which the first one calls, it would run old code. Here a kernel on the disk is one that was
compiled from the same bytes of every source that kernels are made of: those of `spikesim.kernels`, those of the
constants that are compiled into them (random numbers, purposes of noise), and those of the kernel's own folder. Where
the cache lies, and that it lies elsewhere in a read-only installation, is numba's affair.

**What of numba may change.** These are not among what numba promises to keep. The versions that `pyproject.toml` allows
have them; before it allows a newer one, run the tests with that.

- `numba.core.caching`: `FunctionCache` with its `_impl` and `_cache_file`, `IndexDataCacheFile`; `_cache` of a
  dispatcher. Used here. Without them kernels run old code after a change, or are compiled in every process
  (`tests/test_kernel_cache.py`).
- `numba.core.cgutils`, `numba.core.typing.templates`, and of `numba.extending` `lower_builtin`, `lower_cast`, `models`,
  `register_model`, `intrinsic`; llvmlite's typed pointers and the names of LLVM's intrinsics. Used by `lanes` and, some
  of them, by `quads`. Without them no kernel of the sensor compiles (`tests/test_lanes.py`), and none that renders
  photos (`tests/test_quads.py`).
- `overload` and `njit` with `inline="always"`. Used by `integration`, and by `inline` here. Without it bits stay equal
  and kernels get slower (`benchmarks/sensor.py`).
"""

import hashlib
from collections.abc import Callable, Iterable
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


class _SourcesCache(FunctionCache):
    """A kernel on disk, which is taken from there only while all its sources are unchanged."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), _stamp(Path(getfile(function)).parent)
        self._cache_file = IndexDataCacheFile(self.cache_path, self._impl.filename_base, stamp)


def _cached(dispatcher: Any) -> Any:
    if is_jitted(dispatcher):  # and no plain function, as with NUMBA_DISABLE_JIT
        dispatcher._cache = _SourcesCache(dispatcher.py_func)
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
