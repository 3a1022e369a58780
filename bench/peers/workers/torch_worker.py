"""PyTorch under measurement: eager, with channels_last, compiled; fp32 and bf16 autocast."""

import shutil

import torch
from torch.nn.functional import cross_entropy

from .protocol import THREADS, Work, serve
from .torch_network import build

STYLES = ["eager", "channels_last"] + (["compiled"] if shutil.which("c++") or shutil.which("g++") else [])
FORMS = [f"{precision} {style}" for precision in ("fp32", "bf16") for style in STYLES]


class Torch:
    def versions(self) -> dict:
        onednn = torch.__config__.show().split("MKL-DNN v")[1].split(" ")[0]
        text = f"torch {torch.__version__} (oneDNN {onednn}, {torch.backends.cpu.get_cpu_capability()})"
        return {"version": text, "train": FORMS, "predict": FORMS}

    def load(self, work: Work) -> None:
        self.work = work
        self.images = torch.from_numpy(work.pixels).permute(0, 3, 1, 2).contiguous()
        self.labels = torch.from_numpy(work.labels.astype("int64"))

    def make(self, form: str, batch: int):
        """The network in its memory format, and the images in the same."""
        torch.compiler.reset()
        precision, style = form.split()
        self.batch, self.bf16 = batch, precision == "bf16"
        network = build(self.work.spec, self.work.weights)
        image_format = torch.contiguous_format if style == "eager" else torch.channels_last
        self.seen = self.images.contiguous(memory_format=image_format)
        return network.to(memory_format=image_format), style == "compiled"

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

    def train_with(self, form: str, batch: int, learning_rate: float) -> None:
        network, compiled = self.make(form, batch)
        network.train()

        def loss_of(images, labels):
            with self.autocast():
                logits = network(images)
            return cross_entropy(logits.float(), labels)

        self.network = network
        self.loss_of = torch.compile(loss_of) if compiled else loss_of
        # One loop over all parameters in C++ instead of one in Python for each.
        self.optimizer = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, fused=True)
        self.steps = 0

    def train(self, steps: int) -> float:
        for _ in range(steps):
            first = self.work.first(self.steps, self.batch)
            part = slice(first, first + self.batch)
            self.optimizer.zero_grad()
            loss = self.loss_of(self.seen[part], self.labels[part])
            loss.backward()
            self.optimizer.step()
            self.steps += 1
        return loss.item()

    def classify(self, part: slice):
        self.network.eval()
        with torch.inference_mode(), self.autocast():
            classes = self.network(self.seen[part]).argmax(1).numpy()
        self.network.train()
        return classes

    def predict_with(self, form: str, batch: int) -> None:
        network, compiled = self.make(form, batch)
        network.eval()
        # Frozen weights are constants: batch norm is folded, layouts are chosen ahead.
        self.network = torch.compile(network, options={"freezing": True}) if compiled else network

    def predict(self, call: int):
        first = self.work.first(call, self.batch)
        with torch.inference_mode(), self.autocast():
            return self.network(self.seen[first:first + self.batch]).float().numpy()


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(Torch())
