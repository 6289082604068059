"""How much faster an evaluation is in blocks, with pictures prepared once, than one run at a time.

    python -m tests.benchmarks.bench_evaluation [--strips N]

The same answers of the built-in model (main-event question, ten heads, strength 8 and unsteered) are written
by `Engine.generate` one by one, the model's memory of pictures cleared before each, and by the runner; the
ratio is printed, and how many texts are the same.
"""

from __future__ import annotations

import argparse
import time

from gazeviz.domain.experiments.conditions import conditions_for, unsteered
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec
from gazeviz.domain.experiments.treatment import VQA, Treatment
from gazeviz.engine.engine import load
from gazeviz.engine.evaluation.runner import EvaluationRunner
from gazeviz.evaluating import Heads, judge_of, open_pictures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strips", type=int, default=8)
    n = parser.parse_args().strips
    engine = load()
    heads, ranking = Heads(engine).read("mass:10")
    pictures = open_pictures(f"builtin:{n}@7", engine)
    treatment = Treatment("gaze", heads)
    conditions = (unsteered(), *conditions_for(treatment, ranking, ()))
    spec = EvaluationSpec("bench", VQA, pictures.source, pictures.fingerprint, "", conditions)
    items: list[EvaluationItem] = []

    def keep(done: object, _said: object) -> None:
        items.extend(done)  # type: ignore[arg-type]

    started = time.perf_counter()
    EvaluationRunner(engine, spec, pictures, judge_of("exact"), keep).run()
    in_blocks_s = time.perf_counter() - started
    alone: dict[tuple[int, str, int], str] = {}
    started = time.perf_counter()
    for place, picture in enumerate(pictures.pictures):
        for region in range(len(picture.panels)):
            for condition in spec.conditions:
                engine.release_memory()
                wish = condition.treatment.steering(picture.panels, region, VQA.scope)
                run = engine.generate(picture.image, VQA.prompt, steering=wish, max_new_tokens=VQA.new_tok)
                alone[place, condition.name, region] = run.text
    one_by_one_s = time.perf_counter() - started
    same = sum(alone[one.key.picture, one.key.condition, one.key.target] == one.text for one in items)
    print(
        f"{len(items)} answers: {in_blocks_s:.1f} s in blocks, {one_by_one_s:.1f} s one by one,"
        f" {one_by_one_s / in_blocks_s:.1f} times; {same} of {len(items)} texts the same"
    )


if __name__ == "__main__":
    main()
