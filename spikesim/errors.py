"""The errors this project raises on bad input: what, expected, got, what to do.

All inherit `SpikesimError`, so that a program can catch them together, and a built-in, so that code that knows
nothing of this project catches them too. The command line turns each into one line and exit code 2.
"""


class SpikesimError(Exception):
    """Base of every error this project raises on purpose."""


class InvalidValueError(SpikesimError, ValueError):
    """A parameter, an array or an option has a meaningless value, shape or type."""


class InputFileError(SpikesimError, OSError):
    """A file or folder that is to be read is missing, damaged or of another kind."""


class OutputError(SpikesimError, OSError):
    """Something cannot be written: the place is taken, full or not writable."""


class MissingExtraError(SpikesimError, ImportError):
    """A command needs an optional dependency that is not installed; the message names the extra."""


class ClusterError(SpikesimError, RuntimeError):
    """The scheduler of a cluster, or its workers, cannot be reached or are lost."""


class SlowPrecisionWarning(UserWarning):
    """What was asked for works, but is faster in another precision."""


class LeftOutWarning(UserWarning):
    """Something that was given is not used."""


class LowSpaceWarning(UserWarning):
    """A disk may have less room than what is to be written takes."""


class UnlockedWarning(UserWarning):
    """A folder is written that cannot be kept for one process, because its file system has no locks."""
