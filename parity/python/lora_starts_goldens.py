"""Golden values for LoRA's starts that look at data, made by Hugging Face PEFT: parity/fixtures/starts/llama-gqa.safetensors.

    python parity/python/lora_starts_goldens.py        # needs peft, transformers, safetensors

Random decompositions are replaced by exact ones, so that any implementation can be compared; A and B hold rows and columns up to sign,
the largest entry positive.
"""

import dataclasses
import functools
import pathlib
import sys
import types

import torch
from peft import EvaConfig, LoraConfig, LoraGAConfig, get_peft_model, initialize_lora_eva_weights
from peft.tuners.lora import eva
from peft.tuners.lora.config import CordaConfig

sys.modules.setdefault("attr", types.SimpleNamespace(dataclass=dataclasses.dataclass))  # corda.py wants it, PEFT doesn't depend on it
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga
from peft.utils.incremental_pca import IncrementalPCA
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
TARGETS = ["q_proj", "v_proj", "down_proj"]

ids = torch.tensor([[3 + (i * 17 + i * i * 5) % 58 for i in range(48)]])


def exact(a, q=6, niter=2, M=None):
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    return u[:, :q], s[:q], v[:q].t()


torch.svd_lowrank = exact
eva.IncrementalPCA = functools.partial(
    lambda n_components, **ignored: IncrementalPCA(n_components=n_components, copy=True)
)


def base():
    return AutoModelForCausalLM.from_pretrained(FIXTURES / "bases/llama-gqa")


def config(r, **more):
    return LoraConfig(r=r, lora_alpha=6, target_modules=TARGETS, **more)


def positive(matrix, dim):
    largest = matrix.gather(dim, matrix.abs().argmax(dim, keepdim=True))
    return (matrix * largest.sign()).contiguous()


tensors = {}


def keep(name, model, only=""):
    for module, layer in model.named_modules():
        if hasattr(layer, "lora_A") and "default" in layer.lora_A and only in module:
            key = name + "." + module.removeprefix("base_model.model.")
            tensors[key + ".A"] = positive(layer.lora_A["default"].weight.detach().clone(), 1)
            tensors[key + ".B"] = positive(layer.lora_B["default"].weight.detach().clone(), 0)


def run_eva(name, **more):
    model = get_peft_model(base(), config(4, init_lora_weights="eva", eva_config=EvaConfig(**more)))
    batches = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}]
    initialize_lora_eva_weights(model, batches, show_progress_bar=False)
    # PEFT whitens in place, so components that two layers share are whitened twice.
    keep(name, model, "down_proj" if more.get("whiten") else "")


def run_corda(name, method):
    model = base()
    lora = config(4, init_lora_weights="corda", corda_config=CordaConfig(corda_method=method))
    preprocess_corda(model, lora, run_model=lambda: model(ids))
    keep(name, get_peft_model(model, lora))


def run_lora_ga(name, **more):
    model = base()
    lora = config(3, init_lora_weights="lora_ga", lora_ga_config=LoraGAConfig(**more))
    preprocess_loraga(model, lora, train_step=lambda: model(input_ids=ids, labels=ids).loss.backward())
    keep(name, get_peft_model(model, lora))


run_eva("eva", rho=1.0)
run_eva("eva-ranks", rho=2.0)
run_eva("eva-whiten", rho=1.0, whiten=True)
run_corda("corda-ipm", "ipm")
run_corda("corda-kpm", "kpm")
run_lora_ga("lora_ga")
run_lora_ga("lora_ga-ArBr-weight_svd", direction="ArBr", scale="weight_svd")
run_lora_ga("lora_ga-A2rBr-gd_scale", direction="A2rBr", scale="gd_scale")

out = FIXTURES / "starts"
out.mkdir(exist_ok=True)
save_file(tensors, out / "llama-gqa.safetensors")
print(len(tensors), "tensors,", sum(t.numel() for t in tensors.values()) * 4, "bytes")
