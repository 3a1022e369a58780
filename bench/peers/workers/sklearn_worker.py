"""scikit-learn under measurement: MLPClassifier, for networks of dense layers with ReLU between them."""

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from ..spec import named
from .protocol import Work, serve


class ScikitLearn:
    def versions(self) -> dict:
        return {"version": f"scikit-learn {sklearn.__version__}", "train": ["fp32"], "predict": ["fp32"]}

    def load(self, work: Work) -> None:
        self.work = work
        self.pixels = work.pixels.reshape(len(work.pixels), -1)
        self.labels = work.labels.astype(int)

    def make(self, batch: int, learning_rate: float) -> None:
        dense = [(name, layer) for name, layer in named(self.work.spec["layers"]) if layer["kind"] == "dense"]
        self.batch, self.steps = batch, 0
        self.classifier = MLPClassifier(
            [layer["out_features"] for _, layer in dense[:-1]], solver="sgd", alpha=0.0, batch_size=batch,
            learning_rate_init=learning_rate, momentum=0.9, nesterovs_momentum=False, shuffle=False)
        # The first fit makes the arrays; then they get the weights that every peer begins with.
        self.classifier.partial_fit(self.pixels[:batch], self.labels[:batch], classes=np.arange(10))
        weights = self.work.weights
        for array, (name, _) in zip(self.classifier.coefs_, dense):
            array[:] = weights[f"{name}.weight"]
        for array, (name, _) in zip(self.classifier.intercepts_, dense):
            array[:] = weights[f"{name}.bias"]
        for velocity in self.classifier._optimizer.velocities:
            velocity[:] = 0

    def train_with(self, _form: str, batch: int, learning_rate: float) -> None:
        self.make(batch, learning_rate)

    def train(self, steps: int) -> float:
        """Whole batches in order; one pass of partial_fit takes as many as there are until the images' end."""
        while steps:
            first = self.work.first(self.steps, self.batch)
            now = min(steps, (self.work.train_images - first) // self.batch)
            part = slice(first, first + now * self.batch)
            self.classifier.partial_fit(self.pixels[part], self.labels[part])
            steps, self.steps = steps - now, self.steps + now
        return self.classifier.loss_

    def classify(self, part: slice):
        return self.classifier.predict(self.pixels[part])

    def predict_with(self, _form: str, batch: int) -> None:
        self.make(batch, 0.1)

    def predict(self, call: int):
        """Logits; `predict_proba` is these and a softmax."""
        first = self.work.first(call, self.batch)
        return self.classifier.predict_log_proba(self.pixels[first:first + self.batch])


if __name__ == "__main__":
    serve(ScikitLearn())
