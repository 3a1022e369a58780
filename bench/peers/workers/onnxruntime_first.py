"""One prediction: ONNX file, file of f32 pixels."""

import sys

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
image = np.fromfile(sys.argv[2], dtype="<f4").reshape(1, 1, 28, 28)
print(session.run(None, {"images": image})[0].argmax(), flush=True)
