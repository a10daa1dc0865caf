"""A network as an ONNX model."""

from thalweg.export.onnx.proto import onnx_model as onnx_model
from thalweg.export.onnx.table_model import onnx_table_model as onnx_table_model
