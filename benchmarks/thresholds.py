"""What a student trained at one threshold makes of spikes of others: given as they are, and given as light.

PSNR of the middle frames of the split `test`, means over samples. Spikes are light when they are multiplied with
`light.brightness`, as `eval-ssdm` and `deblur` do.

    python benchmarks/thresholds.py DATASET DeblurNet_100.pth
"""

import sys

import torch

from ssdm_models.deblur import deblur_sequence
from ssdm_models.evaluation.footage import Footage
from ssdm_models.metrics import psnr
from ssdm_models.students import load_student
from ssdm_models.windows import windows


@torch.inference_mode()
def main(data: str, checkpoint: str) -> None:
    network = load_student(checkpoint).network
    footage = Footage(data, "test", sequence=False)
    print(f"{'V_th':6}{'blur':>8}{'spikes':>8}{'light':>8}")
    for v_th in footage.thresholds:
        rows = []
        for sample in map(footage.sample, footage.numbers):
            scene = footage.scene(sample, v_th, torch.device("cpu"))
            blur = scene.blur[None]
            given_spikes = network(blur, windows(scene.spikes, scene.readouts, network.readouts))
            given_light = deblur_sequence(network, scene.blur, scene.spikes, scene.readouts, scene.exposure)
            (truth,) = footage.truth(sample)["colour"]
            rows.append([psnr(image[0].clamp(0, 1).numpy(), truth) for image in (blur, given_spikes, given_light)])
        means = torch.tensor(rows).mean(0).tolist()
        print(f"{v_th:<6g}" + "".join(f"{mean:8.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        print("nothing to measure without DATASET CHECKPOINT")
