"""ONNX Runtime under measurement: predictions with one or all threads."""

import numpy as np
import onnxruntime as ort

from .protocol import THREADS, Work, serve

FORMS = ["fp32", "fp32 one thread"]


class OnnxRuntime:
    def versions(self) -> dict:
        return {"version": f"onnxruntime {ort.__version__}", "train": [], "predict": FORMS}

    def load(self, work: Work) -> None:
        self.work = work
        self.images = np.ascontiguousarray(work.pixels.transpose(0, 3, 1, 2))

    def predict_with(self, form: str, batch: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1 if form == "fp32 one thread" else THREADS
        self.session = ort.InferenceSession(self.work.onnx, options, providers=["CPUExecutionProvider"])
        self.batch = batch

    def predict(self, call: int):
        first = self.work.first(call, self.batch)
        images = self.images[first:first + self.batch]
        return self.session.run(None, {"images": images})[0]


if __name__ == "__main__":
    serve(OnnxRuntime())
