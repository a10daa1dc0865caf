"""A network as an ONNX model."""

from thalweg.export.onnx.proto import onnx_model as onnx_model
