"""A network as an ONNX model."""

from thalweg.export.onnx.model import onnx_model as onnx_model
