"""What names of the shard schema are made of."""

SHARD_SCHEMA = "spikesim.shard/1"


def threshold_name(v_th: float) -> str:
    """A threshold as it is written in names: 1, 2, 0.5."""
    return format(v_th, ".12g")
