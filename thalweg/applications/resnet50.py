"""ResNet50 by the name of its module in Keras."""

from thalweg.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
