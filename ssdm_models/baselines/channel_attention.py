"""Attention between channels: what the two branches of SpkDeblurNet find in each other."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines.window_attention import mlp

_HEADS = 4

RELEASED_CHANNEL_ATTENTION = {
    r"^(cross_attention_\d)\.norm\.": r"\1.norm1_model1.body.",
    r"^(cross_attention_\d)\.other_norm\.": r"\1.norm1_model2.body.",
    r"^(cross_attention_\d)\.mlp_norm\.": r"\1.norm1_model1_1.body.",
    r"^(cross_attention_\d)\.mlp\.0\.": r"\1.ffn.fc1.",
    r"^(cross_attention_\d)\.mlp\.2\.": r"\1.ffn.fc2.",
    r"^(cross_attention_\d)\.queries\.0\.": r"\1.attn.q.",
    r"^(cross_attention_\d)\.queries\.1\.": r"\1.attn.q_dwconv.",
    r"^(cross_attention_\d)\.keys\.0\.": r"\1.attn.k.",
    r"^(cross_attention_\d)\.keys\.1\.": r"\1.attn.k_dwconv.",
    r"^(cross_attention_\d)\.values\.0\.": r"\1.attn.v.",
    r"^(cross_attention_\d)\.values\.1\.": r"\1.attn.v_dwconv.",
    r"^(cross_attention_\d)\.projection\.": r"\1.attn.project_out.",
    r"^(cross_attention_\d)\.temperature$": r"\1.attn.temperature",
}
"""Patterns of our names, in a network that calls it as its authors do, with what these have instead."""


class ChannelAttention(nn.Module):
    """Adds to features (N, dim, H, W) what their channels find in those of others (N, other, H, W)."""

    def __init__(self, dim: int, other: int) -> None:
        super().__init__()
        self.norm, self.other_norm, self.mlp_norm = nn.LayerNorm(dim), nn.LayerNorm(other), nn.LayerNorm(dim)
        self.queries, self.keys, self.values = _filters(dim), _filters(other), _filters(other)
        self.temperature = nn.Parameter(torch.ones(_HEADS, 1, 1))
        self.projection = nn.Conv2d(dim, dim, 1, bias=False)
        self.mlp = mlp(dim, 4 * dim)

    def forward(self, features: Tensor, others: Tensor) -> Tensor:
        normed, keyed = _of_channels(self.norm, features), _of_channels(self.other_norm, others)
        queries, keys, values = (
            filtered.unflatten(1, (_HEADS, -1)).flatten(3)
            for filtered in (self.queries(normed), self.keys(keyed), self.values(keyed))
        )
        products = functional.normalize(queries, dim=-1) @ functional.normalize(keys, dim=-1).transpose(2, 3)
        attended = (products * self.temperature).softmax(-1) @ values
        features = features + self.projection(attended.flatten(1, 2).unflatten(2, features.shape[2:]))
        result: Tensor = features + _of_channels(nn.Sequential(self.mlp_norm, self.mlp), features)
        return result


def _of_channels(layer: nn.Module, features: Tensor) -> Tensor:
    """A layer of every pixel's channels, of features (N, C, H, W)."""
    result: Tensor = layer(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return result


def _filters(channels: int) -> nn.Sequential:
    """Mixes channels, then filters each by itself."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
    )
