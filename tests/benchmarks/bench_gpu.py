"""A model of real size on a GPU: what a prefill, an answer and a ranking take, in one run of some minutes.

The model is random, of the shape of an 8 B model (36 layers x 32 heads, bfloat16) unless another one is
named, so nothing has to be downloaded. Without a GPU it says so and ends.

    python tests/benchmarks/bench_gpu.py                            measure, and write the help page's section
    python tests/benchmarks/bench_gpu.py --shape tiny --device cpu  a look at whether it runs
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # make bench calls the file by its path

import torch  # noqa: E402

from gazeviz.domain.heads import Head, HeadSet  # noqa: E402
from gazeviz.domain.steering import Steering  # noqa: E402
from gazeviz.engine.engine import Engine, load  # noqa: E402
from gazeviz.resources import resource_path  # noqa: E402
from gazeviz.testbed.world.world import builtin_strips  # noqa: E402

SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "8B": {
        "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    },
    "2B": {
        "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    },
    "tiny": {
        "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 300,
    },
}  # fmt: skip
"""Language models; the vision tower is that of Qwen3-VL."""
VISION: Final = {
    "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
    "deepstack_visual_indexes": [5, 11, 17], "num_position_embeddings": 2304,
}  # fmt: skip
PROMPT: Final = "What is happening in this panel of the comic strip?"
MAX_IMAGE_TOK: Final = 1280
N_NEW_TOK: Final = 64
GIB: Final = 1024**3


def write_model(folder: Path, shape: str, device: str) -> Path:
    """A random Qwen3-VL of this shape with the built-in model's tokenizer, made on the device."""
    from transformers import GenerationConfig, Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.initialization import no_init_weights

    source = resource_path("models", "comic-vlm")
    folder.mkdir(parents=True)
    for path in source.glob("*.json*"):
        if path.name not in ("config.json", "recommended.json", "ranking.json"):
            shutil.copy(path, folder)
    for path in source.glob("*.jinja"):
        shutil.copy(path, folder)
    settings = json.loads((source / "config.json").read_text("utf-8"))
    text = settings["text_config"]
    text.update(SHAPES[shape])
    half = text["head_dim"] // 2
    sections = [half - 2 * (half * 5 // 16), half * 5 // 16, half * 5 // 16]
    text["rope_parameters"].update(mrope_section=sections)
    if shape != "tiny":
        settings["vision_config"].update(VISION)
    settings["vision_config"]["out_hidden_size"] = text["hidden_size"]
    for part in (settings, text):
        part["dtype"] = "bfloat16"
    limits = json.loads((source / "preprocessor_config.json").read_text("utf-8"))
    limits["size"]["longest_edge"] = MAX_IMAGE_TOK * 32 * 32
    (folder / "preprocessor_config.json").write_text(json.dumps(limits), "utf-8")
    with no_init_weights(), torch.device(device):
        torch.set_default_dtype(torch.bfloat16)
        model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**settings))
        torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.02)
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
    return folder


class Device:
    """The clock and the memory of a GPU, or of the processor for a look."""

    def __init__(self, name: str) -> None:
        self.cuda = name.startswith("cuda")

    def timed(self, work: Callable[[], Any]) -> tuple[float, float, Any]:
        """Seconds that work took, the peak in GiB meanwhile (0 on a processor), and what it gave."""
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        result = work()
        if self.cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        return seconds, torch.cuda.max_memory_allocated() / GIB if self.cuda else 0.0, result


def ten_heads(engine: Engine) -> HeadSet:
    """Ten heads in five layers of the upper half."""
    n_layers, n_heads = engine.shape_LH
    layers = sorted({n_layers // 2 + place * (n_layers // 2) // 5 for place in range(5)})
    heads = [Head(layer, index) for index in range(n_heads) for layer in layers][:10]
    return HeadSet(tuple(sorted(heads)))


def measure(engine: Engine, device: Device, n_strips: int) -> Iterator[tuple[str, str, str]]:
    """Rows of the table: what, how long, peak memory."""
    engine.model.generation_config.eos_token_id = []  # a random model may end at once
    strips = builtin_strips(n_strips + 1, panel_px=448)
    picture, target = strips[0].image, strips[0].panels[3]
    heads = ten_heads(engine)
    n_tok = engine.prepared(picture, PROMPT).n_prompt_tok

    def first_token() -> None:
        engine.release_memory()
        next(engine.stream(picture, PROMPT, max_new_tokens=1))

    first_token()
    seconds, peak, _ = device.timed(first_token)
    yield f"prefill and first token, {n_tok} tokens", f"{seconds:.3f} s", f"{peak:.1f}"
    again, peak, _ = device.timed(lambda: next(engine.stream(picture, PROMPT, max_new_tokens=1)))
    yield "first token again, prefix kept", f"{again:.3f} s ({again / seconds:.2f})", f"{peak:.1f}"
    steered = Steering(heads, target, scope="after_image")
    anew, peak, _ = device.timed(
        lambda: next(engine.stream(picture, PROMPT, steering=steered, max_new_tokens=1))
    )
    yield "first token steered, prefix kept", f"{anew:.3f} s ({anew / seconds:.2f})", f"{peak:.1f}"
    ways: dict[str, dict[str, Any]] = {
        "plain": {"track": HeadSet(())},
        "all heads recorded": {"track": engine.all_heads()},
        "ten heads steered and recorded": {"track": heads, "steering": steered},
    }
    plain_ms = 0.0
    for name, wish in ways.items():
        _, peak, run = device.timed(
            partial(engine.generate, picture, PROMPT, max_new_tokens=N_NEW_TOK, **wish)
        )
        ms = statistics.median(step.ms for step in run.tokens[4:])
        plain_ms = plain_ms or ms
        yield (
            f"a token, {name}",
            f"{ms:.1f} ms, {1000 / ms:.1f} a second ({ms / plain_ms:.2f})",
            f"{peak:.1f}",
        )
    engine.discover(strips[:1])
    seconds, peak, _ = device.timed(lambda: engine.discover(strips[1:]))
    yield "discovery, mass", f"{len(strips[1:]) / seconds:.2f} strips a second", f"{peak:.1f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description="A model of real size on a GPU.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="8B")
    parser.add_argument("--model", help="a folder in the place of a random model")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--strips", type=int, default=5)
    options = parser.parse_args(arguments)
    device = Device(options.device)
    if device.cuda and not torch.cuda.is_available():
        print("There is no GPU that PyTorch can use here: nothing was measured.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        source = options.model or write_model(Path(scratch) / "random", options.shape, options.device)
        seconds, peak, engine = device.timed(
            lambda: load(source, device=options.device, dtype="bfloat16", max_image_tokens=MAX_IMAGE_TOK)
        )
        rows = [("loading", f"{seconds:.1f} s", f"{peak:.1f}"), *measure(engine, device, options.strips)]
    lines = [
        "| | | peak, GiB |",
        "|---|---|---|",
        *(f"| {what} | {took} | {gib} |" for what, took, gib in rows),
    ]
    print("\n".join(lines))
    if device.cuda:
        from tests.benchmarks.performance_page import conditions, write_section

        text = (
            f"## On a GPU\n\n{engine.describe_model()}, {torch.cuda.get_device_name()}. Brackets: against the"
        )
        text += (
            " first row of their kind.\n\n" + "\n".join(lines) + f"\n\n{conditions(torch.get_num_threads())}"
        )
        write_section("gpu", text.replace("float32.", "bfloat16."))


if __name__ == "__main__":
    main()
