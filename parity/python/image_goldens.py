"""Tiny models of images with what transformers computes with them, as base_goldens.py makes those of texts.

    pip install transformers==5.24.0 torch safetensors==0.8.0
    python image_goldens.py ../fixtures/bases [NAME...]

reference.safetensors has pixel_values, hidden states, the outputs and a loss; dual encoders have input_ids and attention_mask beside them.
"""

import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

from base_goldens import write_manifest


class Dinov2ForSemanticSegmentation(transformers.Dinov2PreTrainedModel):
    """A linear map of every patch, spread over the points; 255 is a point without a class."""

    def __init__(self, config):
        super().__init__(config)
        self.dinov2 = transformers.Dinov2Model(config)
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, pixel_values, labels, output_hidden_states=False):
        output = self.dinov2(pixel_values, output_hidden_states=output_hidden_states)
        logits = self.classifier(output.last_hidden_state[:, 1:])
        rows = pixel_values.shape[2] // self.config.patch_size
        grid = logits.unflatten(1, (rows, -1)).permute(0, 3, 1, 2)
        points = torch.nn.functional.interpolate(grid, size=labels.shape[1:], mode="bilinear", align_corners=False)
        loss = torch.nn.functional.cross_entropy(points, labels, ignore_index=255)
        return transformers.modeling_outputs.SemanticSegmenterOutput(loss=loss, logits=logits, hidden_states=output.hidden_states)


SIZES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 16, "patch_size": 4,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3,
}
TEXT = {"vocab_size": 64, "max_position_embeddings": 10, "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3}

# name: class, configuration, height and width of the images
BASES = {
    "deit": ("DeiTForImageClassification", SIZES, (16, 16)),
    "deit-distilled": ("DeiTForImageClassificationWithTeacher", SIZES, (16, 16)),
    "dinov2": ("Dinov2ForImageClassification", {**SIZES, "mlp_ratio": 2, "layerscale_value": 0.5}, (20, 13)),
    "dinov2-semseg": (Dinov2ForSemanticSegmentation, {**SIZES, "mlp_ratio": 2}, (20, 12)),
    "dinov2-gated": ("Dinov2Model", {**SIZES, "use_swiglu_ffn": True, "qkv_bias": False}, (16, 16)),
    "siglip": ("SiglipModel", {
        "text_config": {key: value for key, value in {**SIZES, **TEXT, "projection_size": 16}.items() if "dropout" not in key},
        "vision_config": {key: value for key, value in SIZES.items() if "dropout" not in key}}, (16, 16)),
    "siglip-imgcls": ("SiglipForImageClassification", {
        "vision_config": {"vision_use_head": False} | {key: value for key, value in SIZES.items() if "dropout" not in key}, "num_labels": 3,
        "text_config": {"num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "vocab_size": 8}}, (16, 16)),
    "swin": ("SwinForImageClassification", {
        "image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "mlp_ratio": 2.0,
        "drop_path_rate": 0.0, "num_labels": 3}, (32, 32)),
    "resnet": ("ResNetForImageClassification", {
        "embedding_size": 8, "hidden_sizes": [16, 24], "depths": [2, 1], "layer_type": "bottleneck", "num_labels": 3}, (20, 24)),
    "resnet-basic": ("ResNetForImageClassification", {
        "embedding_size": 6, "hidden_sizes": [6, 12], "depths": [1, 2], "layer_type": "basic", "downsample_in_first_stage": True,
        "num_labels": 3}, (24, 20)),
}


def build(name):
    class_name, fields, _ = BASES[name]
    model_class = class_name if isinstance(class_name, type) else getattr(transformers, class_name)
    torch.manual_seed(sum(map(ord, name)))
    model = model_class._from_config(model_class.config_class(**fields), attn_implementation="eager").eval().float()
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            is_scale = value.dim() == 1 and parameter.endswith(("weight", "lambda1"))
            value.copy_((1.0 if is_scale else 0.0) + (0.2 if value.dim() > 1 else 0.3) * torch.randn_like(value))
        if name == "siglip":
            model.logit_scale.fill_(2.0)
            model.logit_bias.fill_(-4.0)
        for buffer, value in model.named_buffers():
            if buffer.endswith("running_mean"):
                value.copy_(0.3 * torch.randn_like(value))
            if buffer.endswith("running_var"):
                value.copy_(0.5 + torch.rand_like(value))
    return model


def inputs(name, model):
    given = {"pixel_values": torch.randn(2, 3, *BASES[name][2])}
    if name == "siglip":
        ids = torch.randint(4, 64, (3, 10))
        ids[1, 7:] = 1
        given |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return given


def rows(states):
    """[batch, channels, height, width] as [batch, height * width, channels]."""
    return states.flatten(2).transpose(1, 2) if states.dim() == 4 else states


def reference(name, model):
    given = inputs(name, model)
    stored = dict(given)
    if name == "siglip":
        output = model(**given, output_hidden_states=True)
        for field in ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds"):
            stored[field] = output[field]
        for side, states in (("text", output.text_model_output), ("vision", output.vision_model_output)):
            for i, hidden in enumerate(states.hidden_states):
                stored[f"{side}.hidden_states.{i}"] = hidden
        square = model(input_ids=given["input_ids"][:2], pixel_values=given["pixel_values"], return_loss=True)
        stored["contrastive_loss"] = square.loss.reshape(1)
        return stored
    labelled = type(model).__name__.endswith(("ForImageClassification", "ForSemanticSegmentation"))
    if labelled:
        stored["labels"] = torch.tensor([2, 0])
    if name == "dinov2-semseg":
        stored["labels"] = torch.randint(0, 3, (2, 20, 12))
        stored["labels"][1, :4] = 255
    output = model(**given, **({"labels": stored["labels"]} if labelled else {}), output_hidden_states=True)
    if labelled:
        stored["loss"] = output.loss.reshape(1)
    for field in ("logits", "last_hidden_state"):
        if output.get(field) is not None:
            stored[field] = output[field]
    if not name.startswith("resnet"):
        for i, hidden in enumerate(output.hidden_states):
            stored[f"hidden_states.{i}"] = rows(hidden)
    return stored


def make(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = build(name)
    with torch.no_grad():
        stored = reference(name, model)
    model.save_pretrained(folder)
    save_file({key: value.detach().contiguous() for key, value in stored.items()}, folder / "reference.safetensors")
    write_manifest(model, folder)


if __name__ == "__main__":
    for base in sys.argv[2:] or BASES:
        make(base, Path(sys.argv[1]) / base)
        print(base)
