"""Makes the MATLAB files of this folder, in the form of SVHN's: python make.py (numpy 2, scipy 1.17).

Pixel [row, column, channel, image] is (7 row + 3 column + 50 channel + 100 image) mod 256.
"""

from pathlib import Path

import numpy as np
from scipy.io import savemat

here = Path(__file__).parent
row, column, channel, image = np.indices((32, 32, 3, 3))
pixels = ((7 * row + 3 * column + 50 * channel + 100 * image) % 256).astype(np.uint8)
labels = np.array([[10], [3], [1]], dtype=np.uint8)

# As published: packed, labels in bytes.
savemat(here / "packed.mat", {"X": pixels, "y": labels}, do_compression=True)
# Not packed, with labels as MATLAB's doubles and an array that nobody asked for.
savemat(here / "plain.mat", {"other": np.eye(3), "X": pixels[..., :2], "y": labels[:2].astype(np.float64)})
