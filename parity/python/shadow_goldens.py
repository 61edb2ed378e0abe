"""What PEFT's ShadowPEFT computes on tiny decoders of several families: outputs, loss with that of the shadow, gradients, texts; a short training.

    pip install peft==0.21.2 torch transformers safetensors==0.8.0
    python shadow_goldens.py ../fixtures [BASE/CASE ...] [training]

Writes adapters/BASE/CASE: the folder that PEFT saves, whose configuration names the base by its folder in the tree, and reference.safetensors;
and training/llama-gqa/shadow-adamw, on the batches of lora-adamw.
"""

import json
import os
import pathlib
import shutil
import sys

import torch
from peft import PeftModel, ShadowConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

os.chdir(sys.argv[1])
STEPS = 8
NARROW = dict(shadow_hidden_size=16, shadow_num_attention_heads=2, shadow_intermediate_size=24, shadow_num_hidden_layers=2)
CASES = {
    "llama-gqa/shadow-narrow": dict(r=3, shadow_alpha=0.7, update_hidden_size=5, auxiliary_loss_weight=0.3, **NARROW),
    "llama-gqa/shadow-last": dict(r=4, shadow_alpha=0.5, target_modules=[r"layers.1"], share_embeddings=False),
    "llama-gqa/shadow-head": dict(r=4, shadow_alpha=0.5, modules_to_save=["lm_head", "embed_tokens"]),
    "llama-seqcls/shadow": dict(r=4, shadow_alpha=0.5),
    "gpt2/shadow": dict(r=4, shadow_alpha=0.5, target_modules=r".*\.h\.\d+"),
    "gemma3/shadow": dict(r=4, shadow_alpha=0.5),
    "gpt-neox/shadow": dict(r=4, shadow_alpha=0.5),
    "opt/shadow": dict(r=4, shadow_alpha=0.5),
    "bloom/shadow": dict(r=4, shadow_alpha=0.5),
    "falcon/shadow": dict(r=4, shadow_alpha=0.5),
    "gptj/shadow": dict(r=4, shadow_alpha=0.5),
    "mixtral/shadow": dict(r=4, shadow_alpha=0.5),
    "qwen2-window/shadow": dict(r=4, shadow_alpha=0.5),
    "smollm3/shadow": dict(r=4, shadow_alpha=0.5, shadow_num_hidden_layers=2),
}


def loaded(base):
    kind = AutoModelForSequenceClassification if base.endswith("seqcls") else AutoModelForCausalLM
    return kind.from_pretrained(f"bases/{base}", dtype=torch.float32)


def moved(model):
    """As training may leave it: every trained value is another one."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in sorted(model.named_parameters()):
            if value.requires_grad:
                value.add_(0.1 * torch.randn(value.shape, generator=generator))


def save(model, folder, base):
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"bases/{base}"
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def described(folder):
    stored = load_file(folder / "adapter_model.safetensors")
    return [{"name": key, "shape": list(value.shape), "dtype": "F32"} for key, value in sorted(stored.items())]


def case(name, settings):
    base = name.split("/")[0]
    folder = pathlib.Path("adapters") / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(1)
    task = "SEQ_CLS" if base.endswith("seqcls") else "CAUSAL_LM"
    model = get_peft_model(loaded(base), ShadowConfig(task_type=task, shadow_dropout=0.0, **settings))
    moved(model)
    model.eval()
    save(model, folder, base)
    given = load_file(f"bases/{base}/reference.safetensors")
    ids, mask = given["input_ids"], given["attention_mask"]
    out = model(input_ids=ids, attention_mask=mask, labels=given["labels"], use_cache=False)
    out.loss.backward()
    tensors = {"logits": out.logits.detach().contiguous(), "loss": out.loss.detach().reshape(1)}
    for key, value in model.named_parameters():
        if value.grad is not None:
            tensors[f"grad.{key}"] = value.grad.contiguous()
    again = PeftModel.from_pretrained(loaded(base), str(folder)).eval()
    with torch.no_grad():
        reload = (again(input_ids=ids, attention_mask=mask).logits - out.logits).abs().max().item()
    if task == "CAUSAL_LM":
        # By whole passes: transformers 5.24 passes generate's cache under another name than that by which PEFT finds the shadow's.
        how = dict(use_cache=False, max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False, output_logits=True, return_dict_in_generate=True)
        with torch.no_grad():
            texts = model.generate(input_ids=given["generate.input_ids"], attention_mask=given["generate.attention_mask"], **how)
        tensors["generate.sequences"] = texts.sequences
        tensors["generate.first_logits"] = texts.logits[0].contiguous()
        tensors["generate.last_logits"] = texts.logits[-1].contiguous()
    save_file(tensors, folder / "reference.safetensors")
    trained, total = model.get_nb_trainable_parameters()
    wrapped = sorted(key.removeprefix("base_model.model.") for key, module in model.named_modules() if type(module).__name__ == "ShadowLayer")
    manifest = {
        "about": "a small network beside the decoder",
        "all_parameters": total,
        "base": f"bases/{base}",
        "base_dtype": "float32",
        "case": name.split("/")[1],
        "layers": {key: {"kind": "ShadowLayer"} for key in wrapped},
        "mergeable": False,
        "outputs": ["logits"],
        "peft_type": "SHADOW",
        "reload": {"max_difference": reload},
        "task_type": task,
        "tensors": described(folder),
        "tolerance": {"atol": 1e-5, "rtol": 1e-4},
        "trainable_parameters": trained,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(name, "loss", out.loss.item(), "reload", reload, "trained", trained)


def training(steps, rate):
    base = "llama-gqa"
    folder = pathlib.Path(f"training/{base}/shadow-adamw")
    shutil.rmtree(folder, ignore_errors=True)
    batches = load_file(f"training/{base}/lora-adamw/reference.safetensors")
    batches = {key: value for key, value in batches.items() if key.startswith("batch.")}
    torch.manual_seed(2)
    model = get_peft_model(loaded(base), ShadowConfig(task_type="CAUSAL_LM", r=4, shadow_alpha=0.5, shadow_dropout=0.0))
    save(model, folder / "initial", base)
    named = [(key, value) for key, value in model.named_parameters() if value.requires_grad]
    # Without decay: torch leaves alone what has no gradient, as the last layer's update has none.
    optimizer = torch.optim.AdamW([value for _, value in named], lr=rate, weight_decay=0.0)
    log = []
    for step in range(steps):
        number = step % 5
        batch = {key: batches[f"batch.{number}.{key}"] for key in ("input_ids", "attention_mask", "labels")}
        optimizer.zero_grad()
        loss = model.train()(**batch, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([value for _, value in named], float("inf")).item()
        optimizer.step()
        log.append({"step": step, "batch": number, "loss": loss.item(), "grad_norm_before_clipping": norm, "lr": [rate]})
    save(model.eval(), folder / "final", base)
    with torch.no_grad():
        first = {key: batches[f"batch.0.{key}"] for key in ("input_ids", "attention_mask", "labels")}
        out = model(**first, use_cache=False)
    alone = out.loss - 0.05 * out.shadow_loss
    batches["final.logits_on_batch_0"] = out.logits.contiguous()
    batches["final.loss_on_batch_0"] = alone.reshape(1)
    save_file(batches, folder / "reference.safetensors")
    trained, total = model.get_nb_trainable_parameters()
    adamw = {"accumulation": 1, "betas": [0.9, 0.999], "eps": 1e-8, "lr": rate, "max_grad_norm": None, "optimizer": "AdamW", "schedule": None}
    manifest = {
        "about": "ShadowPEFT, AdamW",
        "all_parameters": total,
        "base": f"bases/{base}",
        "case": "shadow-adamw",
        "hyper_parameters": {**adamw, "weight_decay": 0.0},
        "log": log,
        "notes": ["each step's loss has the shadow's, that at the end is the adapted model's alone"],
        "parameter_groups": [{"lr": rate, "weight_decay": 0.0, "names": [key for key, _ in named]}],
        "peft_type": "SHADOW",
        "steps": steps,
        "tensors": described(folder / "final"),
        "tolerance": {"grad_norm": {"atol": 1e-4, "rtol": 1e-3}, "loss": {"atol": 1e-4, "rtol": 1e-4}, "tensors": {"atol": 1e-3, "rtol": 1e-3}},
        "trainable_parameters": trained,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print("training", log[0]["loss"], log[-1]["loss"])


for name, settings in CASES.items():
    if name in sys.argv[2:] or len(sys.argv) == 2:
        case(name, settings)
if len(sys.argv) == 2 or "training" in sys.argv[2:]:
    training(20, 0.01)
