"""Writes small pictures of every mode, and what Pillow sees in them: make.py FOLDER, with Pillow 13.0.0 and NumPy 2.4.6.

expected.txt has a line a picture: name, height, width, channels, and the pixels in hexadecimal.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

folder = Path(sys.argv[1])
lines = []


def save(name, image, **options):
    image.save(folder / name, **options)


def expect(name, pixels):
    pixels = np.atleast_3d(pixels).astype(np.uint8)
    lines.append(" ".join([name, *map(str, pixels.shape), pixels.tobytes().hex()]))


def seen(name, mode):
    """What Pillow sees: upright, over white."""
    image = ImageOps.exif_transpose(Image.open(folder / name))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    expect(name, np.asarray(image.convert(mode)))


y, x = np.mgrid[0:6, 0:8]
rgb = np.stack([x * 36, y * 51, (x + y) * 20], axis=-1).astype(np.uint8)
grey = (x * 30 + y * 5).astype(np.uint8)
alpha = (x * 36).astype(np.uint8)
colour = Image.fromarray(rgb)

save("grey.png", Image.fromarray(grey)), seen("grey.png", "L")
save("grey-alpha.png", Image.fromarray(np.stack([grey, alpha], axis=-1))), seen("grey-alpha.png", "L")
save("colour-alpha.png", Image.fromarray(np.dstack([rgb, alpha]))), seen("colour-alpha.png", "RGB")
save("one-bit.png", Image.fromarray(grey > 100)), seen("one-bit.png", "L")
palette = colour.quantize(16)
save("palette.png", palette), seen("palette.png", "RGB")
save("palette-transparent.png", palette, transparency=3), seen("palette-transparent.png", "RGB")
save("palette.gif", palette), seen("palette.gif", "RGB")
save("palette.bmp", palette), seen("palette.bmp", "RGB")
save("animated.gif", palette, save_all=True, append_images=[palette.rotate(180)], duration=100)
seen("animated.gif", "RGB")
save("animated.webp", colour, save_all=True, append_images=[colour.rotate(180)], duration=100, lossless=True)
seen("animated.webp", "RGB")
deep = (x * 8000 + y * 1500).astype(np.uint16)
for name in ["grey-16.png", "grey-16.tiff"]:
    save(name, Image.fromarray(deep))
    expect(name, np.round(deep / 257))
save("colour.tiff", colour), seen("colour.tiff", "RGB")
save("colour.ppm", colour), seen("colour.ppm", "RGB")

# JPEG decoders differ by a few levels: smooth pictures, best quality, no chroma subsampling.
jpeg = {"quality": 100, "subsampling": 0}
large = colour.resize((16, 12), Image.Resampling.BILINEAR)
save("colour.jpg", large, **jpeg), seen("colour.jpg", "RGB")
save("progressive.jpg", large, progressive=True, **jpeg), seen("progressive.jpg", "RGB")
save("grey.jpg", large.convert("L"), quality=100), seen("grey.jpg", "L")
save("cmyk.jpg", large.convert("CMYK"), **jpeg), seen("cmyk.jpg", "RGB")
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = f"turned-{orientation}.jpg"
    save(name, large, exif=exif, **jpeg), seen(name, "RGB")

(folder / "expected.txt").write_text("\n".join(lines) + "\n")
