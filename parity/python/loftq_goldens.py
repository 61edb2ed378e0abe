"""What PEFT's loftq_init makes of a small matrix.

    pip install peft==0.21.2 bitsandbytes==0.50.2 torch safetensors==0.8.0
    python loftq_goldens.py ../fixtures/starts/loftq.safetensors

PEFT asks for a GPU there and needs none: its device is replaced by the processor. Values are exact in fp16, to which bitsandbytes rounds
what it puts in eight bits.
"""

import inspect
import sys

import torch
from peft.utils import loftq_utils
from safetensors.torch import save_file

source = inspect.getsource(loftq_utils.loftq_init)
exec(source[source.index("def loftq_init"):].replace('"cuda"', '"cpu"'), vars(loftq_utils))

torch.manual_seed(1)
weight = (0.1 * torch.randn(16, 64)).half().float()
stored = {"weight": weight}
for bits, iterations in ((4, 1), (4, 3), (8, 1)):
    with torch.no_grad():
        quantised, a, b = loftq_utils.loftq_init(weight, bits, 4, iterations)
    name = f"bits{bits}.iter{iterations}"
    stored[name + ".weight"] = quantised.contiguous()
    stored[name + ".update"] = (b @ a).contiguous()
save_file(stored, sys.argv[1])
