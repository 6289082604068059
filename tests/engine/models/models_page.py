"""The help page of model families: each one's tiny checkpoint is tried, and the page says what it did.

python -m tests.engine.models.models_page        try all families, write resources/help/models.md
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

ROOT: Final = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from gazeviz.domain.heads import HeadSet  # noqa: E402
from gazeviz.domain.model_files import REFUSED, TWINS  # noqa: E402
from gazeviz.domain.region import Region  # noqa: E402
from gazeviz.domain.steering import Schedule, Steering  # noqa: E402
from gazeviz.domain.strip import Layout, Strip, panel_regions  # noqa: E402
from gazeviz.engine.engine import Engine, load  # noqa: E402
from gazeviz.engine.generation.shared_prefix import PicturePrefix  # noqa: E402
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint  # noqa: E402
from tests.engine.fixtures.tiny_families import TINY  # noqa: E402

PAGE: Final = ROOT / "resources" / "help" / "models.md"
SIZE_PX: Final = (128, 96)
PROMPT: Final = "where is red cat"
LARGE: Final = """
## Models larger than one GPU

- **Several GPUs.** `--device cuda:0+1` spreads a model's layers over these GPUs; `auto` does so by itself
  where no GPU holds it and all of them together do. It needs accelerate (`pip install "gazeviz[big]"`).
  Steering, rankings, kept pictures and knock-out work across the cut: tested with pretended devices that
  refuse to mix, where answers and recorded attention equal those of one device to the last bit. Not
  measured on real GPUs.
- **Fewer bits.** `--dtype 8bit` or `4bit` holds the linear layers in that form (bitsandbytes, `pip install
  "gazeviz[quant]"`); embeddings, norms and logits keep their type. A run keeps the form with its model.
- **Stored in fewer bits.** Checkpoints of bitsandbytes, fp8, AWQ, GPTQ and compressed-tensors are loaded
  through transformers where their packages are installed; `gazeviz doctor --model` names what is missing.
  The 4-bit form of bitsandbytes was tried (on the processor); the others were not.
"""
N_TOK: Final = 5


@dataclass(frozen=True)
class Tried:
    """What one family's tiny checkpoint did."""

    family: str
    describe: bool
    steer: bool
    narrate: bool
    discover: bool
    questions: str
    windows: str

    @property
    def row(self) -> str:
        """Its line of the page."""
        did = [("yes" if one else "no") for one in (self.describe, self.steer, self.narrate, self.discover)]
        return f"| {self.family} | {' | '.join(did)} | {self.questions} | {self.windows} |"


def try_family(name: str, scratch: Path) -> Tried:
    """Load a family's tiny checkpoint and do with it what a person would."""
    if name == "smolvlm":  # only its videos need num2words, which need not be installed
        import transformers.models.smolvlm.processing_smolvlm as smolvlm

        vars(smolvlm)["num2words"] = str
    engine = load(write_checkpoint(scratch / name, name), device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8)
    left, right = panel_regions(Layout(1, 2), *SIZE_PX)
    heads = HeadSet(engine.all_heads().heads[-3:])
    return Tried(
        name,
        _says_what_generate_says(engine, pixels),
        _steers(engine, pixels, heads, left),
        _follows(engine, pixels, heads, left, right),
        _ranks(engine, pixels),
        _questions(engine, pixels),
        _windows(engine),
    )


def _says_what_generate_says(engine: Engine, pixels: np.ndarray) -> bool:
    inputs = engine.prepare(pixels, PROMPT)
    with torch.no_grad():
        expected = engine.model.generate(**inputs, max_new_tokens=N_TOK, do_sample=False)
    run = engine.generate(pixels, PROMPT, max_new_tokens=N_TOK)
    said: list[int] = expected[0, inputs["input_ids"].shape[1] :].tolist()
    return list(run.token_ids) == said


def _steers(engine: Engine, pixels: np.ndarray, heads: HeadSet, target: Region) -> bool:
    run = engine.generate(pixels, PROMPT, steering=Steering(heads, target), max_new_tokens=N_TOK)
    return run.audit is not None and run.audit.mass_after > run.audit.mass_before


def _follows(engine: Engine, pixels: np.ndarray, heads: HeadSet, left: Region, right: Region) -> bool:
    schedule = Schedule(((0, left), (1, right)))
    steering = Steering(heads, left, scope="decode_only", schedule=schedule)
    run = engine.generate(pixels, PROMPT, steering=steering, max_new_tokens=2)
    return [step.target for step in run.tokens][1:] in ([], [right.name])


def _ranks(engine: Engine, pixels: np.ndarray) -> bool:
    from PIL import Image

    strip = Strip(Image.fromarray(pixels), panel_regions(Layout(1, 2), *SIZE_PX), (), "strip")
    ranking = engine.discover([strip], question="where is the {ordinal} cat")
    return bool(np.isfinite(ranking.scores_LH).any())


def _questions(engine: Engine, pixels: np.ndarray) -> str:
    """How several questions about one picture are read."""
    prompt = engine.prepared(pixels, PROMPT)
    if not engine.loaded.family.shares_prefix:
        return "each whole"
    return "together" if PicturePrefix(engine.loaded, prompt).packs else "from copies of the prefix"


def _windows(engine: Engine) -> str:
    """Which layers have heads, and which of them see all keys."""
    described = engine.describe_model()
    n_with = int(described.present_LH.any(axis=1).sum())
    n_sliding = sum(window is not None for window in described.windows_L)
    parts = []
    if n_with < len(described.present_LH):
        parts.append("some layers have no heads")
    if n_sliding:
        parts.append("some layers see a window only")
    return ", ".join(parts)


def rows() -> Iterator[Tried]:
    """Every family that works, tried."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(TINY):
            yield try_family(name, Path(scratch))


def page(tried: list[Tried]) -> str:
    """The whole page."""
    import transformers

    refused = [f"| {name} | {why} | {TWINS.get(name, '')} |" for name, why in sorted(REFUSED.items())]
    twins = [f"| {name} | {twin} |" for name, twin in sorted(TWINS.items()) if name not in REFUSED]
    families = "\n".join(one.row for one in tried)
    return f"""# Models

`gazeviz doctor --model NAME` says of one model whether it will work here and what to take instead;
`gazeviz models` lists those that are here, `gazeviz models get REPO` fetches one.

## Families that work

Each was tried with a tiny random checkpoint of its real architecture (transformers
{transformers.__version__}, on the processor): the tokens of an answer are those of `generate()`, steering
moved attention onto the target, a narration followed its schedule, all heads were ranked. Where image tokens
lie was proven for each with a picture whose colours are coordinates. Published checkpoints were not run.

| family | describe | steer | narrate | discover | questions about one picture | heads |
|---|---|---|---|---|---|---|
{families}

Questions read *together* cost one pass; *from copies of the prefix* one short pass each; *each whole* the
whole price each time. A layer that sees a window only may not reach the picture: its heads show it.
`smolvlm` needs the package num2words.

## Families that cannot be used

| family | because | instead |
|---|---|---|
{chr(10).join(refused)}

## Names that are another family's

| config.json says | take |
|---|---|
{chr(10).join(twins)}
{LARGE}"""


def main() -> None:
    """Try all, and write."""
    tried = []
    for one in rows():
        print(one.row, flush=True)
        tried.append(one)
    PAGE.write_text(page(tried), encoding="utf-8")


if __name__ == "__main__":
    main()
