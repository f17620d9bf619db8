"""Network of the garment parser: a pixel classifier on the crop of one person.

A trunk pretrained on other tasks, a feature pyramid (Lin et al., "Feature Pyramid Networks", CVPR
2017; summed at a quarter of the resolution as in Kirillov et al., "Panoptic FPN", CVPR 2019), the
mean of the whole crop added to each place, and beside it a classifier of what is worn at all.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64  # channels of the pyramid


class ParserModule(nn.Module):
    """(n, 3, h, w) RGB in 0..1 -> logits (n, classes, h/4, w/4) and of presence (n, classes).

    `h` and `w` must be multiples of 32.
    """

    def __init__(self, trunk: str, n_classes: int) -> None:
        super().__init__()
        self.trunk = _YoloTrunk(trunk) if trunk.startswith("yolo") else _TimmTrunk(trunk)
        channels = self.trunk.channels
        self.laterals = nn.ModuleList(nn.Conv2d(c, WIDTH, 1) for c in channels)
        self.smooth = nn.ModuleList(_conv(WIDTH, WIDTH) for _ in channels)
        self.context = nn.Sequential(nn.Linear(channels[-1], WIDTH), nn.ReLU())
        self.presence = nn.Linear(channels[-1] + WIDTH, n_classes)
        self.mix = _conv(WIDTH, WIDTH)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(WIDTH, n_classes, 1)

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the pixels and of presence."""
        features: list[Tensor] = self.trunk(batch)
        pooled = features[-1].mean(dim=(2, 3))
        context = self.context(pooled)
        above = self.laterals[-1](features[-1]) + context[:, :, None, None]
        size = features[0].shape[2:]
        total = _enlarged(self.smooth[-1](above), size)
        for i in range(len(features) - 2, -1, -1):
            above = self.laterals[i](features[i]) + _enlarged(above, features[i].shape[2:])
            total = total + _enlarged(self.smooth[i](above), size)
        pixels = self.classify(self.dropout(self.mix(total)))
        return pixels, self.presence(torch.cat([pooled, context], dim=1))


class _YoloTrunk(nn.Module):
    """Backbone and neck of an ultralytics model, and its features at a quarter, of stride 4."""

    def __init__(self, name: str) -> None:
        super().__init__()
        tasks: Any = importlib.import_module("ultralytics.nn.tasks")
        model = tasks.SegmentationModel(f"{name}-seg.yaml", nc=1, verbose=False)
        self.model: Any = model.model[:-1]
        head = model.model[-1]
        self.taken: tuple[int, ...] = (2, *head.f)
        inner = (branch[0].conv.in_channels for branch in head.cv2)
        self.channels: tuple[int, ...] = (self.model[2].cv2.conv.out_channels, *inner)

    def forward(self, batch: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = [batch]
        for layer in self.model:
            # Ultralytics counts a layer's inputs from the first layer, or from the one before.
            places = [layer.f] if isinstance(layer.f, int) else layer.f
            inputs = [outputs[-1] if place == -1 else outputs[place + 1] for place in places]
            outputs.append(layer(inputs if len(inputs) > 1 else inputs[0]))
        return [outputs[place + 1] for place in self.taken]


class _TimmTrunk(nn.Module):
    """Features of a timm network at strides 4, 8, 16 and 32."""

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        strides = (1, 2, 3, 4)
        body: Any = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=strides
        )
        self.body: Any = body
        self.channels: tuple[int, ...] = tuple(body.feature_info.channels())

    def forward(self, batch: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.body(batch * 2 - 1)
        return features


def _conv(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()
    )


def _enlarged(features: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
