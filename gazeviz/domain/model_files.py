"""How much memory a model will take, told from its files: numbers and headers, nothing loaded.

The weights are counted exactly, from the headers of safetensors files; cache and activations are estimates
that lean to the high side. Shared by the engine, which chooses a device by it, and by screens that list
models. Knows neither torch nor what is free at the moment.
"""

from __future__ import annotations

import json
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

# The families of vision-language models by name: which work, which are refused and why.
#
# A family is named by `model_type` in a checkpoint's config.json. Known to the engine, which has a proven
# layout for each (engine.families), and to screens that list models before one is loaded. Knows no layout.


PROVEN: Final = frozenset(
    (
        "aya_vision", "cosmos3_omni", "ernie4_5_vl_moe", "gemma3", "gemma4", "glm46v", "glm4v", "glm4v_moe",
        "idefics3", "internvl", "llava", "llava_next", "llava_onevision", "mistral3", "ovis2",
        "paddleocr_vl", "paligemma", "pixtral", "qianfan_ocr", "qwen2_5_vl", "qwen2_vl", "qwen3_5",
        "qwen3_5_moe", "qwen3_vl", "qwen3_vl_moe", "smolvlm", "video_llama_3", "vipllava",
    )
)  # fmt: skip
"""Families whose token layout is proven: the rows of the engine's table."""

_NEEDS_TORCHVISION = "its image processor exists for torchvision only, and its layout has not been proven"
_NEEDS_TIMM = "its vision tower needs the package timm, and its layout has not been proven"
REFUSED: Final[Mapping[str, str]] = {
    "idefics2": "it turns every picture into 64 latents without a place, so no attention map can be drawn",
    "mllama": "it sees the picture in separate cross-attention layers, which have no image tokens to steer",
    **dict.fromkeys(
        ("cohere2_vision", "gemma4_unified", "kimi_k25", "lfm2_vl", "lfm3_vl", "llama4", "molmo2"),
        _NEEDS_TORCHVISION,
    ),
    **dict.fromkeys(("fast_vlm", "gemma3n", "perception_lm"), _NEEDS_TIMM),
}
"""Families that cannot work, and why (continues the sentence "... cannot be used, because")."""


TWINS: Final[Mapping[str, str]] = {
    "internvl_chat": "the same model with -hf at the end of its name (OpenGVLab/InternVL3-8B-hf)",
    "llava_llama": "llava-hf/llava-1.5-7b-hf, or the one of its size in the llava-hf collection",
    "llava_mistral": "llava-hf/llava-v1.6-mistral-7b-hf",
    "llava_qwen": "llava-hf/llava-onevision-qwen2-7b-ov-hf, or the one of its size there",
    "ovis": "an Ovis2 model with -hf at the end of its name",
    "qwen": "Qwen/Qwen2-VL-7B-Instruct, its successor",
    "idefics2": "HuggingFaceM4/Idefics3-8B-Llama3, its successor",
    "mllama": "a model of another family, such as Qwen/Qwen3-VL-8B-Instruct",
    "gemma3n": "a Gemma 3 or Gemma 4 model",
}
"""What to take in place of a model type that does not work: a checkpoint of a family that does."""


def family_name(settings: Mapping[str, Any]) -> str:
    """Return the family's name by a checkpoint's config.json; "" where it names none.

    Its `model_type`; where checkpoints of one type differ by vision tower (LLaVA with Pixtral's), that one's.
    """
    name = str(settings.get("model_type") or "")
    if name == "llava" and "mm_vision_tower" in settings:
        return "llava_llama"  # the authors' own files carry the name of transformers' family
    vision = settings.get("vision_config")
    if name == "llava" and isinstance(vision, Mapping) and vision.get("model_type") == "pixtral":
        return "pixtral"
    return name


def takes_pictures(settings: Mapping[str, Any]) -> bool:
    """Whether the config.json of an unknown family speaks of pictures, by its parts and architectures."""
    if any(
        settings.get(key) is not None
        for key in ("vision_config", "vision_tower", "image_token_id", "image_token_index")
    ):
        return True
    architectures = settings.get("architectures")
    named = [str(name) for name in architectures] if isinstance(architectures, list) else []
    return any("Vision2Seq" in name or "ImageTextToText" in name for name in named)


TEXT_TOK: Final = 512
"""Text tokens counted besides the image tokens: prompt and answer."""
OVERHEAD: Final = 1.1
"""Slack of allocators around what comes and goes; weights stay, and are exact."""
LOADING_BYTES: Final = 14 * 2**20
RUNNING_BYTES: Final = 38 * 2**20
"""Modules and buffers that come with a first model and with its first answer, of any size (measured)."""
USUAL_HEADS: Final = 10
"""Steered heads of a usual run."""
SCORES_AT_ONCE: Final = 1 << 24
"""Attention scores that the engine holds at once while it steers."""
ROW_BYTES: Final = 128 * 2**20
"""Recorded rows that the engine holds at once while it ranks heads."""
QUESTIONS: Final = 6
"""Questions about one strip, as many as a usual one has panels."""
ITEM_BYTES: Final[Mapping[str, int]] = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one number, by the names that a model can be loaded as."""
FEWER_BITS: Final[Mapping[str, float]] = {"8bit": 1 + 1 / 256, "4bit": 0.5 + 4 / 64}
"""Bytes of one weight of a linear layer, by the names of bitsandbytes' forms: with the scale in float32 of
each row, or of each 64 weights."""

SPREAD_SHARE: Final = 0.9
"""Of several GPUs' memory, which a model's layers do not divide without a rest."""


def spread_name(numbers: Iterable[int]) -> str:
    """How a model's place on several GPUs is written: "cuda:0+1"."""
    return f"cuda:{'+'.join(map(str, numbers))}"


_STORED_BYTES: Final = {
    "F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
_FLOATING: Final = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_NO_LINEAR: Final = re.compile(r"embed|lm_head|\bshared\b")
"""Names of matrices that are looked up, and of the one that gives the logits: they keep their number type."""
_MAX_HEADER_BYTES: Final = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class StoredWeights:
    """The tensors of some safetensors files. dtype: of most floating numbers, "" where there are none.

    n_linear: floating numbers in matrices of linear layers, which can be held in fewer bits.
    """

    n_floating: int
    floating_bytes: int
    other_bytes: int
    dtype: str
    n_linear: int = 0

    def bytes_as(self, item_bytes: int | None, linear_bytes: float | None = None) -> int:
        """Bytes with every floating number in so many, those of linear layers in `linear_bytes` if given;
        None: as stored.
        """
        if item_bytes is None:
            return self.floating_bytes + self.other_bytes
        full = self.n_floating * item_bytes + self.other_bytes
        return full if linear_bytes is None else full - int(self.n_linear * (item_bytes - linear_bytes))


def stored_weights(files: Iterable[Path]) -> StoredWeights:
    """Count the tensors of safetensors files from their headers.

    Raises:
        OSError: a file cannot be read.  ValueError: it is no safetensors file.
    """
    floating: Counter[str] = Counter()
    other_bytes = n_linear = 0
    for path in files:
        for name, entry in _header(path).items():
            if name == "__metadata__":
                continue
            try:
                kind, n = str(entry["dtype"]), prod(int(side) for side in entry["shape"])
            except (KeyError, TypeError) as error:
                raise ValueError(f"{path.name} does not say what {name} is") from error
            if kind in _FLOATING:
                floating[kind] += n
                n_linear += n if len(entry["shape"]) == 2 and not _NO_LINEAR.search(name) else 0
            else:
                other_bytes += n * _STORED_BYTES.get(kind, 1)
    floating_bytes = sum(n * _STORED_BYTES[kind] for kind, n in floating.items())
    most = floating.most_common(1)
    dtype = _FLOATING[most[0][0]] if most else ""
    return StoredWeights(floating.total(), floating_bytes, other_bytes, dtype, n_linear)


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8 or (length := struct.unpack("<Q", start)[0]) > _MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} is no safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is no safetensors file")
    if path.stat().st_size < 8 + length + _last_byte(header):
        raise ValueError(f"{path.name} ends before its last number")
    return header


def _last_byte(header: Mapping[str, Any]) -> int:
    """Where the numbers that a header tells of end, counted from its own end."""
    ends = [entry.get("data_offsets") for entry in header.values() if isinstance(entry, Mapping)]
    return max((int(end[1]) for end in ends if isinstance(end, list) and len(end) == 2), default=0)


@dataclass(frozen=True)
class ModelSizes:
    """What cache and activations depend on.

    vision_width: hidden size of the vision tower, 0 where there is none.
    patches_per_tok: patches of the vision tower that make one image token.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    hidden: int
    intermediate: int
    vocabulary: int
    vision_width: int = 1024
    patches_per_tok: int = 4

    @classmethod
    def of(cls, text: Any, vision: Any) -> ModelSizes | None:
        """Read the settings of the language model and of the vision tower: mappings, or objects.

        None where the language model does not say how many layers, heads and hidden units it has, as in
        config.json files that leave a family's usual values out.
        """
        n_layers, n_heads, hidden = (
            _number(text, name) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size")
        )
        if not (n_layers and n_heads and hidden):
            return None
        return cls(
            n_layers,
            n_heads,
            _number(text, "num_key_value_heads") or n_heads,
            max(_number(text, "head_dim"), _number(text, "global_head_dim")) or hidden // n_heads,
            hidden,
            _number(text, "intermediate_size") or 4 * hidden,
            _number(text, "vocab_size"),
            0 if vision is None else (_number(vision, "hidden_size") or 1024),
            (0 if vision is None else _number(vision, "spatial_merge_size") or 2) ** 2,
        )

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> ModelSizes | None:
        """Read a config.json; None as above."""
        text = next((settings[key] for key in ("text_config", "llm_config") if key in settings), settings)
        return cls.of(text, settings.get("vision_config"))

    def cache_bytes(self, n_tok: int, item_bytes: int) -> int:
        """Keys and values: 2 x layers x key/value heads x head size x tokens."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim * n_tok * item_bytes

    def activation_bytes(self, n_tok: int, item_bytes: int, n_logits: int = 1) -> int:
        """The widest point of a forward pass: residual and MLP of a layer, or the vision tower's; logits."""
        language = n_tok * (6 * self.hidden + 3 * self.intermediate) * item_bytes
        tower = n_tok * self.patches_per_tok * 12 * self.vision_width * item_bytes
        return max(language, tower) + 2 * 4 * n_logits * self.vocabulary

    def reweighting_bytes(self, n_tok: int, n_heads: int) -> int:
        """Scores and weights of a layer with so many steered heads, in float32: at most so many are held at
        once."""
        return 4 * 4 * min(SCORES_AT_ONCE, n_heads * n_tok * n_tok)


@dataclass(frozen=True)
class Needs:
    """What a model takes at most while it is loaded, answers about a picture, and its heads are ranked.

    Weights are part of each. Beside the program itself, whose libraries take about half a gigabyte.
    widest_run_bytes: of a run that steers every head.
    """

    load_bytes: int
    run_bytes: int
    discovery_bytes: int
    widest_run_bytes: int

    @classmethod
    def of(
        cls,
        weights_bytes: int,
        sizes: ModelSizes | None,
        item_bytes: int,
        n_image_tok: int = 1280,
        n_text_tok: int = TEXT_TOK,
    ) -> Needs:
        """Estimate for one picture of `n_image_tok`, and so much prompt and answer; without sizes the
        weights alone are counted.

        A run: the picture's keys and values twice (the kept prefix and the answer's own), the pass, the
        picture as the model takes it, and the scores of `USUAL_HEADS` spread over the layers; the widest run
        steers every head. A discovery: keys and values of the picture and of the questions together, and the
        recorded rows of all heads (twice while they are joined).
        """
        load = weights_bytes + LOADING_BYTES
        if sizes is None:
            return cls(load, load, load, load)
        n_tok = n_image_tok + n_text_tok
        pixels = 4 * n_image_tok * sizes.patches_per_tok * 2 * 3 * 16 * 16
        shared = weights_bytes + RUNNING_BYTES + 2 * sizes.cache_bytes(n_tok, item_bytes)
        shared += sizes.activation_bytes(n_tok, item_bytes) + pixels
        rows = 2 * min(ROW_BYTES, 4 * sizes.n_layers * sizes.n_heads * QUESTIONS * n_image_tok)
        usual = sizes.reweighting_bytes(n_tok, min(sizes.n_heads, -(-USUAL_HEADS // sizes.n_layers)))
        widest = sizes.reweighting_bytes(n_tok, sizes.n_heads)
        return cls(load, shared + usual, shared + rows, shared + widest)

    @classmethod
    def as_numbers(
        cls,
        weights: StoredWeights,
        sizes: ModelSizes | None,
        dtype: str,
        n_image_tok: int = 1280,
        n_text_tok: int = TEXT_TOK,
        computed_in: str = "bfloat16",
    ) -> Needs:
        """The same for weights held as one of `ITEM_BYTES` or `FEWER_BITS`; any other name: as stored.

        computed_in: the number type of all but linear layers, where those are held in fewer bits.
        """
        linear_bytes = FEWER_BITS.get(dtype)
        name = dtype if linear_bytes is None else computed_in
        item_bytes = ITEM_BYTES.get(name) or ITEM_BYTES.get(weights.dtype, 4)
        return cls.of(weights.bytes_as(item_bytes, linear_bytes), sizes, item_bytes, n_image_tok, n_text_tok)

    @property
    def most_bytes(self) -> int:
        """The largest of them, with the allocators' slack: what has to be free."""
        most = max(self.run_bytes, self.discovery_bytes, self.widest_run_bytes)
        return self.load_bytes + int(OVERHEAD * (most - self.load_bytes))


def needed_bytes(
    weights_bytes: int, sizes: ModelSizes | None, item_bytes: int, n_image_tok: int = 1280
) -> int:
    """Bytes to load a model, let it answer and rank its heads: the most that it takes at any time."""
    return Needs.of(weights_bytes, sizes, item_bytes, n_image_tok).most_bytes


def _number(settings: Any, name: str) -> int:
    """A setting of a mapping or an object as a number, 0 where there is none."""
    value = settings.get(name) if isinstance(settings, Mapping) else getattr(settings, name, None)
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0
