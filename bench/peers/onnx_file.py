"""A percept spec with weights as an ONNX file (NCHW, OIHW), for ONNX Runtime and tract."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .spec import named, pair

OPSET = 17


class Writer:
    def __init__(self, weights: dict):
        self.weights, self.nodes, self.initializers = weights, [], []
        self.flattened = None

    def constant(self, name: str, array: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def node(self, kind: str, name: str, inputs: list[str], **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def layers(self, layers, x, channels, scope=""):
        for name, layer in named(layers, scope):
            x, channels = getattr(self, layer["kind"])(name, layer, x, channels)
        return x, channels

    def conv(self, name, layer, x, _channels):
        weight = self.weights[f"{name}.weight"].transpose(3, 2, 0, 1)
        inputs = [x, self.constant(f"{name}.weight", weight)]
        inputs += [self.weight(f"{name}.bias")] if layer.get("bias", True) else []
        down, across = pair(layer.get("padding", 0))
        kernel, stride = pair(layer["kernel_size"]), pair(layer.get("stride", 1))
        out = self.node("Conv", name, inputs, kernel_shape=kernel, strides=stride, pads=[down, across, down, across])
        return out, layer["out_channels"]

    def batch_norm(self, name, layer, x, channels):
        tensors = [self.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", name, [x, *tensors], epsilon=layer.get("eps", 1e-5)), channels

    def relu(self, name, _layer, x, channels):
        return self.node("Relu", name, [x]), channels

    def max_pool(self, name, layer, x, channels):
        kernel = pair(layer["kernel_size"])
        return self.node("MaxPool", name, [x], kernel_shape=kernel, strides=kernel), channels

    def global_avg_pool(self, name, _layer, x, channels):
        return self.node("GlobalAveragePool", name, [x]), channels

    def flatten(self, name, _layer, x, channels):
        self.flattened = channels
        return self.node("Flatten", name, [x]), channels

    def dense(self, name, layer, x, _channels):
        weight = self.weights[f"{name}.weight"]
        if self.flattened:
            by_pixel = weight.reshape(-1, self.flattened, weight.shape[1])
            weight, self.flattened = by_pixel.transpose(1, 0, 2).reshape(weight.shape), None
        inputs = [x, self.constant(f"{name}.weight", weight)]
        inputs += [self.weight(f"{name}.bias")] if layer.get("bias", True) else []
        return self.node("Gemm", name, inputs), layer["out_features"]

    def residual(self, name, layer, x, channels):
        main, out = self.layers(layer["layers"], x, channels, f"{name}.")
        shortcut, _ = self.layers(layer.get("shortcut", []), x, channels, f"{name}.shortcut.")
        return self.node("Add", name, [main, shortcut]), out


def write(spec: dict, weights: dict, path) -> None:
    """The batch is free; input `images` [N, C, H, W], output `logits` [N, classes]."""
    height, width, channels = spec["input"]
    writer = Writer(weights)
    out, classes = writer.layers(spec["layers"], "images", channels)
    writer.node("Identity", "logits", [out])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", channels, height, width])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    graph = helper.make_graph(writer.nodes, spec["name"], [images], [logits], writer.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
