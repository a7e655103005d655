"""The `spikesim` command line: click commands and rich output, nothing else."""
