"""Row `start/cnn`: milliseconds from the start of the process to the class of one image, CNN from a file."""

import subprocess

from safetensors.numpy import load_file

from .process import first_line
from .rounds import spread
from .settings import NATIVE, PROGRAM, ROOT, RUST, Settings
from .worker import Kind, python

# percept opens a PNG and prepares it as MNIST was made; the others get the 28x28 numbers.
PICTURE = ROOT / "crates" / "data" / "tests" / "pictures" / "2-thick-pen.png"
RUNS = 10


def kinds(settings: Settings) -> dict[str, Kind]:
    files = settings.inputs("cnn")
    pixels = str(settings.folder / "one-image.f32")
    load_file(files["data"])["pixels"][0].astype("<f4").tofile(pixels)
    model = str(settings.folder / "cnn.percept.safetensors")
    subprocess.run([RUST / "percept-worker", "model", files["spec"], files["weights"], model], check=True)
    python_kind = lambda name, *arguments: Kind([*python(name).command, *arguments], python(name).environment)
    return {
        "percept": Kind([str(PROGRAM), "predict", model, str(PICTURE)]),
        "tract": Kind([str(NATIVE / "tract-worker"), "first", files["onnx"], pixels]),
        "onnxruntime": python_kind("onnxruntime_first", files["onnx"], pixels),
        "torch": python_kind("torch_first", files["spec"], files["weights"], pixels),
    }


def measure(peers: list[str], settings: Settings, say) -> dict:
    commands = {name: kind for name, kind in kinds(settings).items() if name in peers}
    for kind in commands.values():
        first_line(kind, settings)
    pairings = []
    for peer in [name for name in commands if name != "percept"]:
        ours, theirs = [], []
        for _ in range(max(RUNS, settings.rounds)):
            ours.append(first_line(commands["percept"], settings))
            theirs.append(first_line(commands[peer], settings))
        ratios = [b / a for a, b in zip(ours, theirs)]
        pairings.append({"peer": peer, "form": "", "percept_form": "", "percept": spread(ours), "value": spread(theirs),
                         "ratio": spread(ratios)})
        say(f"  {peer}: {pairings[-1]['value']['median']:.1f} ms, percept {pairings[-1]['percept']['median']:.1f} ms")
    pairings.sort(key=lambda pairing: pairing["ratio"]["median"])
    return {"row": "start/cnn", "unit": "ms", "pairings": pairings, "calibrated": []}
