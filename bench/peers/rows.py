"""What is measured: one row of the table each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    kind: str  # train, latency or throughput
    network: str
    batch: int
    precision: str  # fp32, or any: each side with the precision in which it is fastest
    peers: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.network}/b{self.batch}/{self.precision}"

    @property
    def unit(self) -> str:
        return "us" if self.kind == "latency" else "images/s"


TRAIN = ("torch", "jax", "burn", "candle")
PREDICT = ("torch", "jax", "onnxruntime", "burn", "candle", "tract")


def train(network, batch, precision, *more):
    return Row("train", network, batch, precision, (*TRAIN, *more))


ROWS = [
    train("mlp", 128, "fp32", "sklearn"),
    train("mlp", 128, "any"),
    train("mlp", 512, "any", "sklearn"),
    train("lenet", 128, "any"),
    train("lenet", 512, "any"),
    train("cnn", 128, "fp32"),
    train("cnn", 512, "any"),
    train("resnet20", 128, "any"),
    *(Row("latency", network, 1, "any", PREDICT) for network in ("mlp", "lenet", "cnn")),
    *(Row("throughput", network, batch, "any", PREDICT) for network in ("mlp", "lenet", "cnn") for batch in (32, 256)),
    # Eight 3x3 convolutions in a row: what oneDNN takes for the same, forward and in a training step.
    *(Row(kind, network, 128, "fp32", ("torch",))
      for kind in ("throughput", "train") for network in ("conv32", "conv64")),
]
