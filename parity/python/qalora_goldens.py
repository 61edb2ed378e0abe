"""What PEFT's QA-LoRA computes beside a linear layer, with gradients.

    pip install peft==0.21.2 torch safetensors==0.8.0
    python qalora_goldens.py ../fixtures/quantized/qa-lora.safetensors

PEFT puts QA-LoRA on GPTQ's layers alone; its formula needs none of them and runs here beside a whole layer.
"""

import sys

import peft
import torch
from peft.tuners.lora.layer import Linear
from peft.tuners.lora.variants import QALoraLinearVariant
from safetensors.torch import save_file

torch.manual_seed(1)
config = peft.LoraConfig(r=3, lora_alpha=6, use_qalora=True, qalora_group_size=16)
layer = Linear(torch.nn.Linear(48, 20, bias=False), "default", config, r=3, lora_alpha=6)
QALoraLinearVariant.init(layer, "default", config)
a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
torch.nn.init.normal_(b)
x = torch.randn(7, 48, requires_grad=True)
y = QALoraLinearVariant.forward(layer, active_adapter="default", x=x, result=layer.base_layer(x))
gradient = torch.randn_like(y)
y.backward(gradient)
stored = {
    "weight": layer.base_layer.weight, "lora_A": a, "lora_B": b, "x": x, "y": y, "gradient": gradient, "grad.x": x.grad,
    "grad.lora_A": a.grad, "grad.lora_B": b.grad,
}
save_file({name: value.detach().contiguous() for name, value in stored.items()}, sys.argv[1])
