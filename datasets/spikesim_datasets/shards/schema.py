"""Names of the shard schema, shared by writer and reader."""

SCHEMA = "spikesim.shard/1"

BLUR, SHARP, SPIKES, WINDOW, FIRST_FRAME = "blur", "sharp", "spikes", "window", "first_frame"


def threshold_name(v_th: float) -> str:
    """A threshold as it is written in names: 1, 2, 0.5."""
    return format(v_th, ".12g")


def spikes_path(v_th: float) -> str:
    """Where a shard holds the spikes of a threshold: spikes/vth_1."""
    return f"{SPIKES}/vth_{threshold_name(v_th)}"
