"""What watching and steering cost a decode step, as ratios to the model's own step.

One random model of 8 layers x 16 heads and the built-in one; several answers are open at the same time and
take turns token by token, so that a busy moment of the machine hits all of them. Processor time on one thread
is counted. The plain step is transformers' alone: the forward, the highest logit, and nothing kept.

    python -m tests.benchmarks.bench_decoding             measure, and write the section of the help page
    python -m tests.benchmarks.bench_decoding --small     a look at whether it runs: small, nothing written
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # make bench calls the file by its path

from gazeviz.domain.heads import Head, HeadSet  # noqa: E402
from gazeviz.domain.region import Region  # noqa: E402
from gazeviz.domain.steering import Steering  # noqa: E402
from gazeviz.engine.engine import Engine, load  # noqa: E402
from tests.benchmarks.bench_discovery import big_model  # noqa: E402
from tests.benchmarks.performance_page import conditions, write_section  # noqa: E402

NOTHING: Final = HeadSet(())
PROMPT: Final = "What is happening in this panel of the comic strip?"
N_STEERED: Final = 10
PLAIN: Final = "plain"


class Counter(TorchDispatchMode):
    """Counts every operation, views among them."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and compute."""
        self.n += 1
        return func(*args, **(kwargs or {}))


def ten_heads(engine: Engine) -> HeadSet:
    """Ten heads over five layers, two each, as a ranking's best ones spread."""
    n_layers, n_heads = engine.shape_LH
    layers = [n_layers - 1 - round(i * (n_layers - 1) / 4) for i in range(4)] + [n_layers // 3]
    chosen = list(dict.fromkeys(layers))
    heads = [Head(layer, h) for h in range(n_heads) for layer in chosen][:N_STEERED]
    return HeadSet(tuple(sorted(heads)))


def plain_steps(engine: Engine, image: Any) -> Iterator[None]:
    """The model's own decode loop, greedy."""
    inputs = engine.prepare(image, PROMPT)
    with torch.inference_mode():
        output = engine.model(**inputs, use_cache=True, logits_to_keep=1)
    n_tok = inputs["input_ids"].shape[1]
    delta = engine.prepared(image, PROMPT).positions.delta_tok
    while True:
        with torch.inference_mode():
            token = int(output.logits[0, -1].argmax())
            n_tok += 1
            output = engine.model(
                input_ids=torch.tensor([[token]]),
                attention_mask=torch.ones(1, n_tok, dtype=torch.long),
                position_ids=torch.full((3, 1, 1), n_tok - 1 + delta),
                past_key_values=output.past_key_values,
                use_cache=True,
                logits_to_keep=1,
            )
        yield


def streams(engine: Engine, image: Any, n_tok: int) -> dict[str, Iterator[object]]:
    """The answers that take turns, by what is done to them."""
    heads = ten_heads(engine)
    width, height = image.size
    target = Region.box("left", (0, 0, width / 3, height), image.size)
    steering = Steering(heads, target)
    every = engine.all_heads()

    def stream(**wish: Any) -> Iterator[object]:
        return iter(engine.stream(image, PROMPT, max_new_tokens=n_tok, **wish))

    return {
        PLAIN: plain_steps(engine, image),
        "nothing": stream(track=NOTHING),
        "all heads recorded": stream(track=every),
        "ten heads steered": stream(track=NOTHING, steering=steering),
        "ten heads steered and recorded": stream(track=heads, steering=steering),
        "ten heads steered, all recorded": stream(track=every, steering=steering),
    }


@dataclass(frozen=True)
class Figures:
    """What one way to write costs a step: the median of the ratios to the plain step of the same turn."""

    ms: float
    ratio: float
    n_operations: int


def measure(engine: Engine, image: Any, n_steps: int) -> dict[str, Figures]:
    """Let the answers take turns for so many tokens; the first ones are not timed."""
    engine.model.generation_config.eos_token_id = []  # a random model may end at once
    open_streams = streams(engine, image, n_steps + 8)
    for stream in open_streams.values():
        for _ in range(4):
            next(stream)
    operations = {}
    for name, stream in open_streams.items():
        with Counter() as counter:
            next(stream)
        operations[name] = counter.n
    ms: dict[str, list[float]] = {name: [] for name in open_streams}
    order = list(open_streams)
    for turn in range(n_steps):
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            started = time.thread_time()
            next(open_streams[name])
            ms[name].append((time.thread_time() - started) * 1000)
    return {
        name: Figures(
            statistics.median(ms[name]),
            statistics.median(one / plain for one, plain in zip(ms[name], ms[PLAIN], strict=True)),
            operations[name],
        )
        for name in ms
    }


def table(results: dict[str, dict[str, Figures]]) -> str:
    """The section's table."""
    lines = ["| model | a step of an answer | ms | times plain | operations |", "|---|---|---|---|---|"]
    for model, figures in results.items():
        for name, one in figures.items():
            lines.append(f"| {model} | {name} | {one.ms:.2f} | {one.ratio:.2f} | {one.n_operations} |")
    return "\n".join(lines)


def picture(n_image_tok: int) -> np.ndarray:
    """Noise that makes about so many image tokens of 32 px, twice as wide as high."""
    rows = max(1, round((n_image_tok / 2) ** 0.5))
    size = (rows * 32, max(1, n_image_tok // rows) * 32, 3)
    return np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description="What watching and steering cost a decode step.")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--tokens", type=int, nargs="*", default=[256, 1024, 2048])
    parser.add_argument("--small", action="store_true", help="small sizes, nothing written")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    n_steps = 4 if options.small else options.steps
    results: dict[str, dict[str, Figures]] = {}
    engine = load(None, device="cpu")
    results["built-in model"] = measure(engine, _opened(picture(36)), n_steps)
    with tempfile.TemporaryDirectory() as scratch:
        for n_image_tok in [64] if options.small else options.tokens:
            folder = big_model(Path(scratch) / str(n_image_tok), n_image_tok, 2 if options.small else 8)
            engine = load(folder, device="cpu", max_image_tokens=n_image_tok)
            name = f"random, {n_image_tok} image tokens"
            results[name] = measure(engine, _opened(picture(n_image_tok)), n_steps)
            print(table({name: results[name]}), flush=True)
    print(table(results))
    if not options.small:
        write_section("decoding", section(results, conditions(1), n_steps))


def _opened(pixels: np.ndarray) -> Any:
    from gazeviz.imaging import open_picture

    return open_picture(pixels)


def section(results: dict[str, dict[str, Figures]], measured_with: str, n_steps: int) -> str:
    """The text of the help page."""
    return f"""## A decode step

One more token of an answer: the model's own forward and its highest logit (plain), and the same by
gazeviz with what it keeps and does. All answers are open at the same time and take turns, {n_steps} tokens
each; "times plain" is the median of the ratios to the plain step of the same turn, in processor time on one
thread. The random model has 8 layers x 16 heads; the ten heads lie in five layers.
An operation is what PyTorch dispatches, views among them: on a GPU most are a launch.

{table(results)}

{measured_with}
"""


if __name__ == "__main__":
    main()
