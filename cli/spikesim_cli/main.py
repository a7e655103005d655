"""The group of commands. Each command is imported when it is called for, and imports what computes when it runs."""

import io
import signal
import sys
import warnings
from functools import cache
from importlib import import_module
from typing import Any

import click

from spikesim.errors import SpikesimError
from spikesim_cli.interruptions import Terminated, hearing_interruptions
from spikesim_cli.terminal_text import printable

# Name of the command and the module in `commands` that holds it, in the order of the help.
COMMANDS = {
    "build-gopro": "build",
    "build": "build",
    "simulate": "simulate",
    "interpolate": "interpolate",
    "train-ssdm": "train_ssdm",
    "train-baseline": "train_baseline",
    "eval-ssdm": "eval_ssdm",
    "deblur": "deblur",
    "info": "info",
    "view": "view",
    "report": "report",
    "convert": "convert",
    "verify": "verify",
    "index": "index",
    "calibrate": "calibrate",
    "demo": "demo",
    "doctor": "doctor",
    "completion": "completion",
}


EXIT_CODES = {
    0: "done",
    1: "whoever read stdout has gone",
    2: "bad input, a result that could not be written, or what `verify` and `doctor` found",
    130: "interrupted by Ctrl-C; finished files are kept",
    143: "ended by SIGTERM; finished files are kept",
}
"""What a command leaves to the shell."""


class BadInputError(click.ClickException):
    """An error of ours, or of the system, on its way to the terminal: one line, exit code 2."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is looked up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"spikesim_cli.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (SpikesimError, OSError) as error:
            raise BadInputError(printable(str(error))) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikesim", prog_name="spikesim")
def cli() -> None:
    """Spike-camera simulation and synthetic spike datasets.

    Sharp video goes in; blurry images, spike streams and ground truth come out, in HDF5 shards.

    \b
    Example:
      spikesim demo
    """


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line for people, without the place in the code, and not again."""
    _show_once(str(message))


@cache
def _show_once(message: str) -> None:
    click.echo(f"Warning: {printable(message)}", err=True)


def _escape_what_cannot_be_written() -> None:
    """Let stdout write escapes for letters that its encoding lacks, as stderr does, unless somebody chose otherwise.

    A terminal that is not UTF-8 has no × and few of the letters that names of files have.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line; the entry point of `spikesim`."""
    warnings.showwarning = _show_warning
    _escape_what_cannot_be_written()
    try:
        with hearing_interruptions():
            cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("Interrupted. Finished files are kept; run it again to go on where it stopped.", err=True)
        by_sigterm = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
        sys.exit(128 + (signal.SIGTERM if by_sigterm else signal.SIGINT))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody to tell
        sys.exit(1)
