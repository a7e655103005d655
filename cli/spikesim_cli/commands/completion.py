"""`completion`: what a shell needs to complete commands and options."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete commands, options and their choices with the Tab key: lines to append to
    ~/.bashrc or ~/.zshrc, or the file ~/.config/fish/completions/spikesim.fish.

    \b
    Example:
      spikesim completion bash
    """
    from click.shell_completion import get_completion_class

    from spikesim_cli.main import cli

    completes = get_completion_class(shell)
    if completes is None:
        raise click.ClickException(f"click has no completion for {shell}")
    click.echo(completes(cli, {}, "spikesim", "_SPIKESIM_COMPLETE").source())
