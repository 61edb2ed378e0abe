"""Pictures and what Pillow makes of them: python pictures.py FOLDER. Needs pillow and numpy.

originals   noise.png, palette.gif, grey.png, clear.png (with transparency), lossy.jpg, plain.bmp, exact.webp, lossy.webp, turned.webp
turned      turned-1.png to turned-8.png with EXIF orientations; each seen upright is upright.png
resized     <original>-<width>x<height>-<filter>.png
processed   processed.safetensors: noise.png as CLIP's processor makes it (shortest side 20, middle 16 by 16)
"""
import io, json, struct, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(5)
width, height = 31, 23
x, y = np.meshgrid(np.arange(width), np.arange(height))
waves = np.stack([127 + 120 * np.sin(x / 3 + y / 5), 4 * x + 5 * y, 255 - 8 * x], -1)
noise = Image.fromarray(np.clip(waves + rng.normal(0, 25, waves.shape), 0, 255).astype(np.uint8))
noise.save(out / "noise.png")
noise.convert("L").save(out / "grey.png")
noise.quantize(32).save(out / "palette.gif")
noise.save(out / "plain.bmp")
noise.save(out / "lossy.jpg", quality=95, subsampling=0)
clear = noise.convert("RGBA")
clear.putalpha(Image.fromarray((8 * x % 256).astype(np.uint8)))
clear.save(out / "clear.png")

for name in ("grey.png", "palette.gif", "clear.png", "lossy.jpg", "plain.bmp"):
    Image.open(out / name).convert("RGB").save(out / (name.replace(".", "-") + "-rgb.png"))

filters = {"nearest": Image.NEAREST, "lanczos": Image.LANCZOS, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
for name, kind in filters.items():
    for size in ((12, 9), (50, 40), (31, 11), (7, 23)):
        noise.resize(size, kind).save(out / f"noise-{size[0]}x{size[1]}-{name}.png")

small = noise.resize((9, 6), Image.BICUBIC)
for number in range(1, 9):
    exif = Image.Exif()
    exif[274] = number
    small.save(out / f"turned-{number}.png", exif=exif)
    ImageOps.exif_transpose(Image.open(out / f"turned-{number}.png")).save(out / f"upright-{number}.png", exif=b"")
exif = Image.Exif()
exif[274] = 6
small.save(out / "turned.jpg", exif=exif, quality=100, subsampling=0)

noise.save(out / "exact.webp", lossless=True)
noise.save(out / "lossy.webp", quality=90)
small.save(out / "turned.webp", exif=exif, lossless=True)
for name in ("exact", "lossy"):
    Image.open(out / f"{name}.webp").convert("RGB").save(out / f"{name}-webp-rgb.png")

short, crop = 20, 16
long = int(short * width / height)
resized = np.asarray(noise.resize((long, short), Image.BICUBIC))
top, left = (short - crop) // 2, (long - crop) // 2
cut = resized[top:top + crop, left:left + crop].astype(np.float64) / 255
mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
values = ((cut - mean) / std).transpose(2, 0, 1).astype("<f4")
header = json.dumps({"pixel_values": {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, values.nbytes]}})
header = header.encode() + b" " * (-len(header) % 8)
(out / "processed.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())
