"""percept's presets' networks, as specs of their own for the peers."""

import pathlib

from .settings import ROOT, Settings


def network_of(preset: str, settings: Settings) -> dict[str, str]:
    """The files of the preset's network, as `Settings.inputs` has them; the spec is cut from the preset."""
    text = (ROOT / "crates" / "train" / "presets" / f"{preset}.toml").read_text()
    file = settings.folder / f"preset-{preset}.toml"
    file.write_text(text.split("[network]\n")[1])
    stem = str(pathlib.Path(file).with_suffix(""))
    return {
        "spec": str(file), "weights": f"{stem}.weights.safetensors", "onnx": f"{stem}.onnx",
        "data": str(settings.folder / "mnist.safetensors"),
    }
