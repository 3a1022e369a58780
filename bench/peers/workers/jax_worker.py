"""JAX under measurement: one compiled step at a time, or many steps in one compiled loop."""

import jax
import jax.numpy as jnp
from jax import lax

from .jax_network import logits, loss_and_updates
from .protocol import Work, serve


def is_buffer(name: str) -> bool:
    return "running_" in name


class Jax:
    def versions(self) -> dict:
        return {"version": f"jax {jax.__version__}", "train": ["fp32 loop", "fp32 step"], "predict": ["fp32"]}

    def load(self, work: Work) -> None:
        self.work = work
        self.images, self.labels = jnp.asarray(work.pixels), jnp.asarray(work.labels.astype("int32"))
        self.predictor = None

    def train_with(self, form: str, batch: int, learning_rate: float) -> None:
        spec, work = self.work.spec, self.work

        def step(state, images, labels):
            parameters, buffers, velocity, _ = state
            loss_of = lambda p: loss_and_updates(spec, {**p, **buffers}, images, labels)
            (loss, updates), gradient = jax.value_and_grad(loss_of, has_aux=True)(parameters)
            velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
            parameters = jax.tree.map(lambda p, v: p - learning_rate * v, parameters, velocity)
            return parameters, {**buffers, **updates}, velocity, loss

        def at(state, index, images, labels):
            first = index % (work.train_images // batch) * batch
            part = lambda array: lax.dynamic_slice_in_dim(array, first, batch)
            return step(state, part(images), part(labels))

        def loop(state, start, stop, images, labels):
            return lax.fori_loop(start, stop, lambda i, s: at(s, i, images, labels), state)

        self.run = jax.jit(loop if form == "fp32 loop" else at, donate_argnums=0)
        self.classes = jax.jit(lambda weights, images: logits(spec, weights, images).argmax(1))
        self.looped, self.steps = form == "fp32 loop", 0
        weights = {name: jnp.array(tensor) for name, tensor in work.weights.items()}
        parameters = {name: w for name, w in weights.items() if not is_buffer(name)}
        buffers = {name: w for name, w in weights.items() if is_buffer(name)}
        self.state = (parameters, buffers, jax.tree.map(jnp.zeros_like, parameters), jnp.float32(0))

    def train(self, steps: int) -> float:
        stop = self.steps + steps
        if self.looped:
            self.state = self.run(self.state, self.steps, stop, self.images, self.labels)
        else:
            for index in range(self.steps, stop):
                self.state = self.run(self.state, index, self.images, self.labels)
        self.steps = stop
        return float(self.state[3].block_until_ready())

    def classify(self, part: slice):
        parameters, buffers, _, _ = self.state
        return self.classes({**parameters, **buffers}, self.images[part])

    def predict_with(self, _form: str, batch: int) -> None:
        weights = {name: jnp.array(tensor) for name, tensor in self.work.weights.items()}
        self.batch = batch
        # The weights are constants, so that what depends on them alone is computed once, when it is compiled.
        self.predictor = jax.jit(lambda images: logits(self.work.spec, weights, images))

    def predict(self, call: int):
        first = self.work.first(call, self.batch)
        return self.predictor(self.work.pixels[first:first + self.batch]).block_until_ready()


if __name__ == "__main__":
    serve(Jax())
