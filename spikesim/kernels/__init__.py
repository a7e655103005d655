"""Compiled inner loops: arrays in, arrays out, no checks. The public functions check, allocate and cast before they
call.

Every kernel works on the rows `first..stop-1`, which do not depend on each other, so that `threads.run_on_rows` can
share them out. Inner loops run over one row of contiguous numbers without branches, because those the compiler turns
into vector instructions. fastmath stays off: it changed 56 spikes in 8.2 million, and machines would differ.
"""
