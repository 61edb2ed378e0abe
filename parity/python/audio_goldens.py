"""Short recordings in the formats that are read, their rates changed by torchaudio, and what WhisperFeatureExtractor makes of them.

    pip install transformers==5.24.0 torch torchaudio soundfile numpy safetensors==0.8.0
    python audio_goldens.py ../fixtures/audio
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file
from transformers import WhisperFeatureExtractor

torch.version.cuda = None  # the rates are changed on the processor: any build of torchaudio will do
from torchaudio.functional import resample  # noqa: E402, behind transformers, which would import it too

SECONDS, EVERY = 0.15, 5
FILES = {  # name: subtype, rate, channels
    "pcm16.wav": ("PCM_16", 16000, 1),
    "stereo24.wav": ("PCM_24", 44100, 2),
    "pcm32.wav": ("PCM_32", 8000, 1),
    "bytes.wav": ("PCM_U8", 22050, 1),
    "float.wav": ("FLOAT", 16000, 1),
    "double.wav": ("DOUBLE", 11025, 1),
    "mono16.flac": ("PCM_16", 16000, 1),
    "stereo24.flac": ("PCM_24", 48000, 2),
    "bytes.flac": ("PCM_S8", 8000, 1),
}


def speech(rate, channels, generator):
    """Tones that glide and fade, with some noise: all predictors of FLAC find something to do."""
    t = np.arange(int(SECONDS * rate)) / rate
    parts = []
    for channel in range(channels):
        pitch = 180 + 90 * channel
        tone = sum(np.sin(2 * np.pi * pitch * k * (t + 0.3 * t * t)) / k for k in range(1, 6))
        parts.append(0.25 * tone * np.sin(np.pi * t / SECONDS) + 0.01 * generator.standard_normal(len(t)))
    wave = np.stack(parts, 1)
    wave[: len(t) // 10] = 0
    return wave


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    extractor = WhisperFeatureExtractor()
    stored = {}
    for name, (subtype, rate, channels) in FILES.items():
        soundfile.write(folder / name, speech(rate, channels, generator), rate, subtype=subtype)
        samples, _ = soundfile.read(folder / name, dtype="float64", always_2d=True)
        mono = torch.from_numpy(samples.mean(1)).float()
        at16k = resample(mono, rate, 16000)
        mel = torch.from_numpy(extractor(at16k.numpy(), sampling_rate=16000, return_tensors="np").input_features[0])
        stored |= {f"{name}.samples": mono[::EVERY], f"{name}.at16k": at16k[::EVERY]}
        if name.endswith("16.wav") or "stereo" in name:
            stored |= {f"{name}.mel": mel[:, :24], f"{name}.rest": mel[:, 2999:]}
    noise = 0.1 * torch.from_numpy(generator.standard_normal(16000 * 31)).float()
    long = torch.from_numpy(extractor(noise.numpy(), sampling_rate=16000, return_tensors="np").input_features[0])
    stored |= {"end.samples": noise[479000:480000], "end.mel": long[:, 2996:], "end.largest": long.max().reshape(1)}
    save_file({key: value.float().clone().contiguous() for key, value in stored.items()}, folder / "reference.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
