"""What a model takes in memory, held against what `gazeviz doctor --model` estimates from its files.

Loading, a run about one strip with ten heads steered and all recorded, and the ranking of all heads on that
strip: each in a fresh process, so that no peak hides in the memory of another. Measured is the peak of
resident memory above what Python, PyTorch and the program's own modules take.

    python tests/benchmarks/bench_memory.py             measure, and write the section of the help page
    python tests/benchmarks/bench_memory.py --small     a look at whether it runs; nothing written
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # make bench calls the file by its path
WHAT: Final[Mapping[str, str]] = {
    "load": "load",
    "run": "a run, ten heads steered, all recorded",
    "discovery": "discovery",
}
GIB: Final = 2**30
QUESTIONS: Final = 6
PROMPT: Final = "What is happening in this panel of the comic strip?"
N_NEW_TOK: Final = 32
Measured = dict[str, float]


def child(what: str, folder: Path, panel_px: int, threads: int) -> None:
    """Do one thing in this process and print {bytes, image_tok, text_tok} as JSON."""
    import torch
    import transformers.models.qwen3_vl.modeling_qwen3_vl  # noqa: F401 - what it takes is the program's

    from gazeviz.domain.heads import Head, HeadSet
    from gazeviz.domain.steering import Steering
    from gazeviz.engine.engine import load
    from gazeviz.testbed.world.world import builtin_strips
    from tests.benchmarks.bench_discovery import IMAGE_TOKENS
    from tests.own_memory import forget_peak, memory_mib

    torch.set_num_threads(threads)
    strip = builtin_strips(1, panel_px=panel_px)[0]
    before_mib = memory_mib("VmRSS")
    forget_peak()
    engine = load(folder, device="cpu")
    engine.max_image_tokens = IMAGE_TOKENS
    n_image_tok = n_text_tok = 0
    if what == "run":
        heads = HeadSet(tuple(Head(layer, 0) for layer in range(min(10, engine.shape_LH[0]))))
        steering = Steering(heads, strip.panels[1], strength=3.0)
        run = engine.generate(
            strip.image, PROMPT, steering=steering, max_new_tokens=N_NEW_TOK, track=engine.all_heads()
        )
        prompted = engine.prepared(strip.image, PROMPT)
        n_image_tok = prompted.grid.n_tokens
        n_text_tok = prompted.n_prompt_tok - n_image_tok + len(run.tokens)
    elif what == "discovery":
        engine.discover([strip])
        prompted = engine.prepared(strip.image, PROMPT)
        n_image_tok = prompted.grid.n_tokens
        n_text_tok = QUESTIONS * (prompted.n_prompt_tok - n_image_tok)
    taken = (memory_mib("VmHWM") - before_mib) * 2**20
    print(json.dumps({"bytes": taken, "image_tok": n_image_tok, "text_tok": n_text_tok}))


def measure(what: str, folder: Path, panel_px: int, threads: int) -> Measured:
    """What one thing takes, in a fresh process."""
    command = [sys.executable, str(Path(__file__)), "--child", what, str(folder)]
    command += ["--panel-px", str(panel_px), "--threads", str(threads)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{folder.name}, {what}:\n{done.stderr[-4000:]}")
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def estimated(what: str, folder: Path, found: Measured) -> int:
    """What the files let expect of the same picture and as much text."""
    from gazeviz.model_verdict import verdict_on

    needs = verdict_on(folder).needs("float32", int(found["image_tok"]) or 1280, int(found["text_tok"]))
    assert needs is not None
    return {"load": needs.load_bytes, "run": needs.run_bytes, "discovery": needs.discovery_bytes}[what]


def main(arguments: list[str] | None = None) -> None:
    """Measure both models and show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--panel-px", type=int, default=192, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="small sizes, nothing written")
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child[0], Path(options.child[1]), options.panel_px, options.threads)
        return
    from gazeviz.resources import resource_path
    from tests.benchmarks.bench_discovery import big_model
    from tests.benchmarks.performance_page import conditions, write_section

    lines = ["| model | | estimated, GiB | measured, GiB | estimate over measured |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as scratch:
        n_layers, panel_px = (2, 128) if options.small else (8, 480)
        random = big_model(Path(scratch) / "random", n_layers=n_layers)
        cases = [
            ("built-in", resource_path("models", "comic-vlm"), 192),
            (
                f"random, {n_layers} layers x 16 heads",
                random,
                panel_px,
            ),
        ]
        for name, folder, px in cases:
            for what, said in WHAT.items():
                found = measure(what, folder, px, options.threads)
                need = estimated(what, folder, found)
                tokens = f", {found['image_tok']:.0f} image tokens" if found["image_tok"] else ""
                lines.append(
                    f"| {name}{tokens} | {said} | {need / GIB:.2f} | {found['bytes'] / GIB:.2f}"
                    f" | {need / found['bytes']:.2f} |"
                )
                print(lines[-1], flush=True)
    if not options.small:
        write_section("memory", section("\n".join(lines), conditions(options.threads)))


def section(table: str, measured_with: str) -> str:
    """The text of the help page."""
    return f"""## Memory: estimate and measured

What `gazeviz doctor --model` estimates from files for this picture and as many text tokens, and the peak of
resident memory above what Python, PyTorch and the program's modules take by themselves. What comes with a
first model and a first answer of any size, 14 and 38 MiB, was measured on the built-in model, and which parts
are held at the same time was read from the larger one: the table shows that the terms add up, not how far
they carry. Every check of whether a model fits counts a run that steers every head, with a tenth for
allocators on all but the weights: on the larger model such a run took 0.91 GiB, estimated at 0.92. A model of
28 layers x 16 heads (bfloat16, 54 image tokens), measured before these terms were written, took 4.5 GiB; they
say 4.6.

{table}

{measured_with}
"""


if __name__ == "__main__":
    main()
