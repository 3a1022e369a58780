"""ONNX Runtime under measurement: predictions with one or all threads, by `run` or with bound input and output."""

import numpy as np
import onnxruntime as ort

from .protocol import THREADS, Work, serve

FORMS = ["fp32", "fp32 bound", "fp32 one thread"]


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
        self.batch, self.binding = batch, None
        if form == "fp32 bound":
            self.input = ort.OrtValue.ortvalue_from_numpy(self.images[:batch])
            self.binding = self.session.io_binding()
            self.binding.bind_ortvalue_input("images", self.input)
            self.binding.bind_output("logits")

    def predict(self, call: int):
        first = self.work.first(call, self.batch)
        images = self.images[first:first + self.batch]
        if self.binding is None:
            return self.session.run(None, {"images": images})[0]
        self.input.update_inplace(images)
        self.session.run_with_iobinding(self.binding)
        return self.binding.get_outputs()[0].numpy()


if __name__ == "__main__":
    serve(OnnxRuntime())
