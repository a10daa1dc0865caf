"""Networks for images by Keras's names: their graphs and layers, for weights of your own or out of Keras's files.

>>> from thalweg import applications
>>> model = applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=10)
>>> model.output_shape, model.count_params()
((None, 10), 423018)
"""

from __future__ import annotations

from thalweg.applications import efficientnet, imagenet_utils, mobilenet_v2, resnet, resnet50, vgg16, vgg19, xception
from thalweg.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from thalweg.applications.mobilenet_v2 import MobileNetV2
from thalweg.applications.resnet import ResNet50, ResNet101, ResNet152
from thalweg.applications.vgg16 import VGG16
from thalweg.applications.vgg19 import VGG19
from thalweg.applications.xception import Xception
from thalweg.support.naming import answer_for

__all__ = [
    "VGG16", "VGG19", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "MobileNetV2", "ResNet50", "ResNet101", "ResNet152",
    "Xception", "efficientnet", "imagenet_utils", "mobilenet_v2", "resnet", "resnet50", "vgg16", "vgg19", "xception",
]  # fmt: skip

answer_for(__name__)
