"""Discovery against the plain recipe: time and extra peak memory, side by side.

The plain recipe is what the published code and most notebooks do: eager attention,
`output_attentions=True`, one whole pass for each question. Both rank the same heads of the same weights on
the same strips; the scores are compared, too. Every measurement is a fresh child process, so that no peak
of one hides in the memory of another, and the two take turns, so that a busy minute of the machine hits
both.

    python tests/benchmarks/bench_discovery.py             measure, and write the section of the help page
    python tests/benchmarks/bench_discovery.py --small     a look at whether it runs: small sizes, nothing
    written
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from gazeviz.engine.models.loading import LoadedModel
    from gazeviz.testbed.world.world import DrawnStrip

ROOT: Final = Path(__file__).parents[2]
IMAGE_TOKENS: Final = 1400


@dataclass(frozen=True)
class Case:
    """One model and the strips it is measured on."""

    name: str
    folder: Path
    n_strips: int
    panel_px: int


def big_model(folder: Path, image_tokens: int = IMAGE_TOKENS, n_layers: int = 8) -> Path:
    """Write a random Qwen3-VL of 8 layers x 16 heads that takes large pictures, with the built-in
    tokenizer.
    """
    from gazeviz.testbed.training.model import CELL_PX, build_model, save_pretrained

    text = {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 64,
    }
    rope = {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": [12, 10, 10],
        "mrope_interleaved": True,
    }
    model = build_model({"text_config": {**text, "rope_parameters": rope}})
    save_pretrained(folder, model)
    settings = folder / "preprocessor_config.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    content["size"]["longest_edge"] = image_tokens * CELL_PX**2
    settings.write_text(json.dumps(content), encoding="utf-8")
    return folder


def ours(loaded: LoadedModel, strips: Sequence[DrawnStrip]) -> np.ndarray:
    """The mass ranking as the program measures it."""
    from gazeviz.engine.discovery.discovery import discover

    return discover(loaded, strips, ("mass",), max_image_tokens=IMAGE_TOKENS)["mass"].scores_LH


def plain(loaded: LoadedModel, strips: Sequence[DrawnStrip]) -> np.ndarray:
    """The mass ranking by whole eager passes that return every map."""
    import torch

    from gazeviz.domain.prompts import panel_questions
    from gazeviz.engine.models.prompt import prepare

    total: Any = 0.0
    for strip in strips:
        for question, panel in zip(panel_questions(strip.panels), strip.panels, strict=True):
            prompt = prepare(loaded, strip.image, question, max_image_tokens=IMAGE_TOKENS)
            keys = prompt.image_positions_tok[torch.from_numpy(prompt.grid.tokens(panel))]
            with torch.inference_mode():
                maps = loaded.model(**prompt.inputs, output_attentions=True).attentions
            total = total + torch.stack([one[0, :, -1, keys].sum(dim=-1) for one in maps]).double().numpy()
            del maps
    return np.asarray(total / sum(len(strip.panels) for strip in strips))


def one_pass(loaded: LoadedModel, strips: Sequence[DrawnStrip]) -> np.ndarray:
    """No ranking at all: one plain pass (SDPA, nothing kept) of one question about every strip."""
    import torch

    from gazeviz.domain.prompts import panel_questions
    from gazeviz.engine.models.prompt import prepare

    for strip in strips:
        question = panel_questions(strip.panels)[0]
        prompt = prepare(loaded, strip.image, question, max_image_tokens=IMAGE_TOKENS)
        with torch.inference_mode():
            loaded.model(**prompt.inputs, logits_to_keep=1)
    return np.zeros(0)


PLAIN_RECIPE: Final = "plain recipe"
ONE_PASS: Final = "one plain pass"
RECIPES: Final[Mapping[str, Callable[..., np.ndarray]]] = {
    PLAIN_RECIPE: plain,
    ONE_PASS: one_pass,
    "gazeviz": ours,
}


def child(recipe: str, case: Case, threads: int) -> None:
    """Load, measure, and print {seconds, extra_mib, scores} as JSON."""
    import torch

    torch.set_num_threads(threads)
    from gazeviz.engine.models.loading import load_model
    from gazeviz.testbed.world.world import builtin_strips
    from tests.own_memory import forget_peak, memory_mib

    strips = builtin_strips(case.n_strips, panel_px=case.panel_px)
    loaded = load_model(case.folder, device="cpu")
    if recipe != "gazeviz":
        loaded.hook.detach()
    if recipe == PLAIN_RECIPE:
        loaded.model.set_attn_implementation({"": "sdpa", "text_config": "eager", "vision_config": "sdpa"})
    before_mib = memory_mib("VmRSS")
    forget_peak()
    started = time.process_time()
    scores = RECIPES[recipe](loaded, strips)
    seconds = time.process_time() - started
    answer = {"seconds": seconds, "extra_mib": memory_mib("VmHWM") - before_mib, "scores": scores.tolist()}
    print(json.dumps(answer))


def measure(case: Case, repeats: int, threads: int) -> dict[str, list[dict[str, Any]]]:
    """Let both recipes take turns in fresh processes."""
    answers: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in RECIPES}
    for _ in range(repeats):
        for recipe in RECIPES:
            asked = json.dumps({**vars(case), "folder": str(case.folder)})
            command = [
                sys.executable,
                str(Path(__file__)),
                "--child",
                recipe,
                asked,
                "--threads",
                str(threads),
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{case.name}, {recipe}:\n{done.stderr[-4000:]}")
            answers[recipe].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{case.name}, {recipe}: {answers[recipe][-1]['seconds']:.2f} s", flush=True)
    return answers


def table(results: Mapping[str, tuple[Case, dict[str, list[dict[str, Any]]]]]) -> str:
    """The section's table: medians of the turns, and their ratios."""
    lines = [
        "| model | recipe | s a strip | extra peak memory, MiB | largest difference of a score |",
        "|---|---|---|---|---|",
    ]
    for name, (case, answers) in results.items():
        seconds = {r: statistics.median(a["seconds"] for a in found) for r, found in answers.items()}
        memory = {r: statistics.median(a["extra_mib"] for a in found) for r, found in answers.items()}
        scores = [answers[name][0]["scores"] for name in (PLAIN_RECIPE, "gazeviz")]
        difference = float(np.abs(np.subtract(*scores)).max())
        for recipe in answers:
            lines.append(
                f"| {name} | {recipe} | {seconds[recipe] / case.n_strips:.2f} | {memory[recipe]:.0f} | |"
            )
        one, plain_pass, other = answers
        lines.append(
            f"| {name} | **the recipe over gazeviz** | **{seconds[one] / seconds[other]:.1f}** |"
            f" **{memory[one] / memory[other]:.1f}** | {difference:.0e} |"
        )
        lines.append(
            f"| {name} | **gazeviz over one pass** | **{seconds[other] / seconds[plain_pass]:.2f}** |"
            f" **{memory[other] / memory[plain_pass]:.1f}** | |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both models and write the section, or be one of the measurements."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description="Discovery against the plain recipe.")
    parser.add_argument("--child", nargs=2, metavar=("RECIPE", "CASE"), help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help="a folder in the place of the built-in model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="small sizes, one turn, nothing written")
    options = parser.parse_args(arguments)
    if options.child:
        recipe, case = options.child[0], Case(**json.loads(options.child[1]))
        child(recipe, Case(case.name, Path(case.folder), case.n_strips, case.panel_px), options.threads)
        return
    run(options)


def run(options: argparse.Namespace) -> None:
    """Measure both models in this order and show the table."""
    from gazeviz.engine.models.loading import find_folder
    from tests.benchmarks.performance_page import conditions, write_section

    with tempfile.TemporaryDirectory() as scratch:
        n_layers, panel_px = (2, 128) if options.small else (8, 480)
        big = big_model(Path(scratch) / "random", n_layers=n_layers)
        n_cells = 6 * (panel_px // 32) ** 2
        cases = [
            Case("built-in model", find_folder(options.model), 2 if options.small else 10, 192),
            Case(
                f"random, {n_layers} layers x 16 heads, {n_cells} image tokens",
                big,
                1,
                panel_px,
            ),
        ]
        repeats = 1 if options.small else options.repeats
        results = {case.name: (case, measure(case, repeats, options.threads)) for case in cases}
    print(table(results))
    if not options.small:
        write_section("discovery", section(results, conditions(options.threads), repeats))


def section(results: Mapping[str, Any], measured_with: str, repeats: int) -> str:
    """The text of the help page."""
    return f"""## Discovery

The `mass` ranking of six-panel strips, as gazeviz measures it and by the plain recipe (eager attention,
`output_attentions=True`, one whole pass for each question), beside one plain pass of one question (SDPA,
nothing kept), which ranks nothing. Seconds are processor time; extra memory is the peak above what the
loaded model takes. Medians of {repeats} measurements, each in a fresh process, the two taking turns.

{table(results)}

{measured_with}
"""


if __name__ == "__main__":
    main()
