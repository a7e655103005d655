"""The first stage of S-SDM: BSN denoises short exposures."""

from ssdm_models.bsn import BSN
from ssdm_models.objectives.denoising import Denoising
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec

SPEC = StageSpec(
    name="bsn",
    label="BSN",
    task="denoising",
    network=BSN,
    objective=Denoising,
    paper={"epochs": 1000, "learning_rate": 3e-4},
    release={"batch": 4},
    arguments=("square",),
    released=ReleasedFile(
        "bsn",
        {
            **{rf"encoders\.{i}\.{2 * j}": f"unet.enc{i + 1}.conv{j + 1}.conv" for i in range(3) for j in range(3)},
            **{rf"decoders\.{i}\.{2 * j}": f"unet.dec{2 - i}.conv{j + 1}.conv" for i in range(2) for j in range(4)},
            **{rf"joint\.{2 * j}": f"nin_{'ABC'[j]}" for j in range(3)},
        },
    ),
    in_default_run=True,
)
