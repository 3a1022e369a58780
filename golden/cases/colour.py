"""Changes of brightness and colour, by torchvision."""

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

from .fixture import flat, generator

# name, [height, width, channels], function, parameter
CASES = [
    ("brightness_up", [4, 5, 3], F.adjust_brightness, 1.7),
    ("brightness_down", [4, 5, 1], F.adjust_brightness, 0.35),
    ("contrast_up", [4, 5, 3], F.adjust_contrast, 1.8),
    ("contrast_down", [4, 5, 3], F.adjust_contrast, 0.25),
    ("contrast_grey", [4, 5, 1], F.adjust_contrast, 1.4),
    ("saturation_up", [4, 5, 3], F.adjust_saturation, 1.9),
    ("saturation_down", [4, 5, 3], F.adjust_saturation, 0.1),
    ("saturation_grey", [4, 5, 1], F.adjust_saturation, 0.1),
    ("hue_forward", [6, 7, 3], F.adjust_hue, 0.31),
    ("hue_back", [6, 7, 3], F.adjust_hue, -0.47),
    ("hue_grey", [4, 5, 1], F.adjust_hue, 0.2),
    ("sharpness_up", [5, 6, 3], F.adjust_sharpness, 1.9),
    ("sharpness_down", [5, 6, 1], F.adjust_sharpness, 0.3),
    ("sharpness_small", [2, 6, 3], F.adjust_sharpness, 0.3),
    ("posterize_4", [4, 5, 3], F.posterize, 4),
    ("posterize_8", [4, 5, 3], F.posterize, 8),
    ("solarize", [4, 5, 3], F.solarize, 0.7),
    ("auto_contrast", [4, 5, 3], F.autocontrast, None),
    ("equalize_few", [4, 5, 3], F.equalize, None),
    ("equalize", [20, 26, 3], F.equalize, None),
    ("equalize_dark", [24, 26, 1], F.equalize, None),
]


def levels(name, shape):
    """Grey levels; some pixels are grey, black or white, and none of the channels has all levels."""
    rng = generator(name)
    image = rng.integers(20, 90 if name.endswith("dark") else 230, shape)
    image[0, 0], image[1, 1], image[1, 2] = 128, 0, 255
    if name == "auto_contrast":
        image = np.clip(image, 40, 200)
        image[:, :, 1] = 77
    return image


def case(name, shape, function, parameter):
    image = levels(name, shape)
    pixels = torch.tensor(image, dtype=torch.float64).permute(2, 0, 1) / 255
    arguments = () if parameter is None else (parameter,)
    changed = function(pixels, *arguments).permute(1, 2, 0)
    return {
        "name": name,
        "shape": shape,
        "change": function.__name__,
        "parameter": parameter,
        "levels": image.reshape(-1).tolist(),
        "output": [round(x, 8) for x in flat(changed)],
    }


def fixture():
    """Images in grey levels, and what becomes of them where black is 0 and white is 1."""
    return {"cases": [case(*row) for row in CASES]}
