"""What networks are trained in: our names, and those of Lightning Fabric, which earlier versions took and recorded."""

from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]

FABRIC: dict[Precision, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
    "float16": "16-mixed",
}
