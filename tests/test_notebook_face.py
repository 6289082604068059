"""The names that notebooks and scripts rely on, and what importing them costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gazeviz
from gazeviz.domain.notebook_face import shares_svg
from tests.engine.fixtures.random_comic import random_comic_model

SOURCE = Path(gazeviz.__file__)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent.parent
    )
    return done.stdout.strip()


def test_importing_gazeviz_loads_nothing_heavy() -> None:
    heavy = "[n for n in ('torch', 'transformers', 'numpy', 'PIL', 'PySide6') if n in sys.modules]"
    assert python(f"import gazeviz, sys; print({heavy})") == "[]"


def test_the_nouns_need_no_torch() -> None:
    names = (
        "Head",
        "HeadSet",
        "HeadRanking",
        "Region",
        "Layout",
        "Steering",
        "Schedule",
        "Sampling",
        "UserError",
    )
    code = f"import gazeviz, sys; [getattr(gazeviz, n) for n in {names}]; print('torch' in sys.modules)"
    assert python(code) == "False"


def test_builtin_strips_need_no_torch() -> None:
    code = (
        "import gazeviz, sys; print(len(gazeviz.builtin_strips(2, seed=7)[0].panels), 'torch' in sys.modules)"
    )
    assert python(code) == "6 False"


@pytest.mark.parametrize("name", gazeviz.__all__)
def test_every_name_leads_home(name: str) -> None:
    value = getattr(gazeviz, name)
    assert value is getattr(gazeviz, name)
    assert name in dir(gazeviz)
    if name != "__version__":
        assert value.__name__ == name


def test_type_checkers_see_the_same_names() -> None:
    """The lazy table, `__all__` and the typed block say the same."""
    block = next(
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.name: str(node.module) for node in imports for alias in node.names}
    assert typed == gazeviz._HOMES
    assert set(gazeviz.__all__) == {*typed, "__version__"}


def test_a_notebook_reads_like_this(tmp_path: Path) -> None:
    """The lines that notebooks and scripts are written in, on untrained weights."""
    random_comic_model(tmp_path)
    engine = gazeviz.load(tmp_path)
    strips = gazeviz.builtin_strips(2, seed=7)
    ranking = engine.discover(strips, by="tracking")
    heads = ranking.top(12)
    strip, prompt = strips[0], "What is happening in this panel of the comic strip?"

    run = engine.generate(strip.image, prompt, max_new_tokens=4)
    steering = gazeviz.Steering(
        heads, target=strip.panels[3], mode="boost_suppress", strength=8, scope="all_rows"
    )
    steered = engine.generate(strip.image, prompt, steering=steering, max_new_tokens=4)
    assert steered.text != run.text
    assert steered.audit is not None and steered.audit.mass_after > 0.9
    assert run.audit is None
    assert steered.trajectory(strip.panels).leader_T.tolist() == [3] * 4

    for shown in (run, steered, ranking):
        assert len(repr(shown)) < 300 and "array" not in repr(shown)
    page = steered._repr_html_()
    assert "data:image/png" in page and "Panel 4" in page and "<polyline" in page and page.count("<rect") > 6
    assert len(page) < 400_000 and "<polyline" not in run._repr_html_()
    table = ranking._repr_html_()
    assert "data:image/png" in table and str(next(iter(ranking.top(1)))) in table

    targets = []
    for step in (stream := engine.stream(strip.image, prompt, steering=steering, max_new_tokens=4)):
        targets.append(step.target)
        stream.retarget(strip.panels[1])
    assert targets == ["Panel 4", "Panel 2", "Panel 2", "Panel 2"]

    other = gazeviz.builtin_strips(1, seed=8)[0]
    turns = gazeviz.Schedule.every(2, (other.panels[2], other.panels[4]))
    turning = gazeviz.Steering(heads, target=other.panels[3], schedule=turns)
    stream = engine.stream(other.image, prompt, steering=turning, max_new_tokens=4)
    for _ in stream:
        pass
    page = stream.run()._repr_html_()
    assert "data:image/png" in page and page.count("<polyline") == 3
    assert all(f"Panel {number}" in page for number in (3, 4, 5))

    logits = engine.model(**engine.prepare(strip.image, prompt)).logits
    assert int(logits[0, -1].argmax()) == run.tokens[0].token_id
    assert engine.processor is not None
    assert len(engine.grid(strip.image).tokens(strip.panels[2]))


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        gazeviz.laod  # noqa: B018


def test_versions_are_numbers() -> None:
    assert all(part.isdigit() for part in gazeviz.__version__.split("."))


def test_an_evaluation_draws_its_shares() -> None:
    drawn = shares_svg([("chosen <b>", 0.8, 0.6, 0.9), ("zero", float("nan"), 0.0, 1.0)])
    assert drawn.count("<circle") == 1 and "zero" not in drawn and "chosen &lt;b&gt;" in drawn
