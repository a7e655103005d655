"""How kernels are compiled: cached on disk, without the interpreter lock, and with division that does not branch."""

from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
inline = njit(cache=True, nogil=True, error_model="numpy", inline="always")
