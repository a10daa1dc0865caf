"""PyTorch's convolution by itself, which is oneDNN's, with images channel by channel or channels last."""

from __future__ import annotations

import torch

from benchmarks.convolutions import Convolution
from benchmarks.peers.base import Arrays, Runner


class Convolve(Runner):
    def __init__(self, work: Convolution, last: bool = False) -> None:
        order = torch.channels_last if last else torch.contiguous_format
        x, dh = (torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=order) for a in work.data())
        W = torch.from_numpy(work.weights()[0]).permute(3, 2, 0, 1).contiguous(memory_format=order)
        self.x, self.dh, self.W = x.requires_grad_(work.gradients), dh, W.requires_grad_(work.gradients)

    def run(self, count: int) -> None:
        for _ in range(count):
            self.once()

    def once(self) -> list[torch.Tensor]:
        h = torch.nn.functional.conv2d(self.x, self.W, padding=1)
        if not h.requires_grad:
            return [h]
        dW, dx = torch.autograd.grad(h, (self.W, self.x), self.dh)
        return [h.detach(), dW, dx]

    def check(self) -> Arrays:
        orders = ((0, 2, 3, 1), (2, 3, 1, 0), (0, 2, 3, 1))
        return [a.permute(order).contiguous().numpy() for a, order in zip(self.once(), orders, strict=False)]
