"""Configurations of trainings."""

from typing import Any, Literal

from spikesim.checks import require_choice, require_flag
from ssdm_models.old_names import renamed_settings
from ssdm_models.option_groups import sort_options
from ssdm_models.stage_config import SETTINGS, StageConfig
from ssdm_models.stages import STAGES

__all__ = ["StageConfig", "make_config"]


def make_config(stage: str, compat: Literal["release"] | None = None, **given: Any) -> StageConfig:
    """The training of a stage as its paper has it, with changes.

    Args:
        stage: A name in `stages.STAGES`, such as `bsn`, `sr` or `ldn`.
        compat: `release` takes what the released code does where that differs from the paper. Of S-SDM that is BSN's
            batch of 4, SR's constant rate of 2e-4, and for LDN a schedule stepped by batch, on the test split.
        given: Values of `StageConfig` that are to be others; names of earlier versions are read as those of today.

    Raises:
        InvalidValueError: A value is not as `StageConfig` wants it, or there is no such stage or option.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024, and its released code.
    """
    spec = STAGES.find(stage)
    if compat is not None:
        require_choice(compat, "compat, where it is given,", ["release"])
    (changes,) = sort_options(renamed_settings(given), SETTINGS)
    small = spec.small if require_flag(changes.get("small", False), "small") else {}
    return StageConfig(stage, **{**spec.paper, **(spec.release if compat else {}), **small, **changes})
