"""A percept spec as a function of JAX, in percept's own layout (NHWC, HWIO)."""

import jax
import jax.numpy as jnp
from jax import lax

from ..spec import named, pair

# Matrices and convolutions in full fp32.
PRECISION = lax.Precision.HIGHEST


class Run:
    """One pass: `weights` by name, and `buffers`, whose new values are collected while training."""

    def __init__(self, weights: dict, train: bool):
        self.weights, self.train, self.updates = weights, train, {}

    def layers(self, layers, x, scope=""):
        for name, layer in named(layers, scope):
            x = getattr(self, layer["kind"])(name, layer, x)
        return x

    def conv(self, name, layer, x):
        down, across = pair(layer.get("padding", 0))
        x = lax.conv_general_dilated(
            x, self.weights[f"{name}.weight"], pair(layer.get("stride", 1)), [(down, down), (across, across)],
            dimension_numbers=("NHWC", "HWIO", "NHWC"), precision=PRECISION)
        return x + self.weights[f"{name}.bias"] if layer.get("bias", True) else x

    def batch_norm(self, name, layer, x):
        mean_name, variance_name = f"{name}.running_mean", f"{name}.running_var"
        mean, variance = self.weights[mean_name], self.weights[variance_name]
        if self.train:
            axes, momentum, count = tuple(range(x.ndim - 1)), layer.get("momentum", 0.1), x.size / x.shape[-1]
            seen_mean, seen_variance = x.mean(axes), x.var(axes)
            unbiased = seen_variance * count / (count - 1)
            self.updates[mean_name] = (1 - momentum) * mean + momentum * seen_mean
            self.updates[variance_name] = (1 - momentum) * variance + momentum * unbiased
            mean, variance = seen_mean, seen_variance
        scale = self.weights[f"{name}.weight"] * lax.rsqrt(variance + layer.get("eps", 1e-5))
        return (x - mean) * scale + self.weights[f"{name}.bias"]

    def relu(self, _name, _layer, x):
        return jax.nn.relu(x)

    def max_pool(self, _name, layer, x):
        window = (1, *pair(layer["kernel_size"]), 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")

    def global_avg_pool(self, _name, _layer, x):
        return x.mean((1, 2), keepdims=True)

    def flatten(self, _name, _layer, x):
        return x.reshape(len(x), -1)

    def dense(self, name, layer, x):
        x = jnp.dot(x, self.weights[f"{name}.weight"], precision=PRECISION)
        return x + self.weights[f"{name}.bias"] if layer.get("bias", True) else x

    def residual(self, name, layer, x):
        main = self.layers(layer["layers"], x, f"{name}.")
        return main + self.layers(layer.get("shortcut", []), x, f"{name}.shortcut.")


def logits(spec: dict, weights: dict, images):
    return Run(weights, train=False).layers(spec["layers"], images)


def loss_and_updates(spec: dict, weights: dict, images, labels):
    """Mean cross-entropy, and the running statistics after this batch."""
    run = Run(weights, train=True)
    log_probabilities = jax.nn.log_softmax(run.layers(spec["layers"], images))
    return -jnp.take_along_axis(log_probabilities, labels[:, None], 1).mean(), run.updates
