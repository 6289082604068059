"""The real engine behind the worker's loop, on the built-in model's architecture with random weights."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gazeviz.backend import engine_adapter as machine
from gazeviz.backend.engine_adapter import EngineAdapter, decoded_image
from gazeviz.backend.in_process import InProcessBackend
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    AskGallery,
    AskMass,
    Discover,
    Failed,
    GalleryReady,
    Generate,
    GenerateSpec,
    JobProgress,
    LoadModel,
    MassReady,
    ModelLoaded,
    OpenPicture,
    PicturePrepared,
    PictureSource,
    RankingPartial,
    RankingsFinished,
    Recommended,
    Retarget,
    RunFinished,
    StepArrived,
    StripsSource,
)
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Steering
from gazeviz.engine.engine import Engine, load
from gazeviz.engine.models.description import RANKING_FILE, RANKINGS_FOLDER
from gazeviz.errors import UserError
from tests.backend.listening import PANELS, Heard, assert_near, open_strip

HEADS = HeadSet.of("L2H1,L3H0,L3H5,L6H2")


@pytest.fixture(scope="module")
def engine(untrained_model: Path) -> Engine:
    return load(untrained_model, device="cpu")


@pytest.fixture
def backend(heard: Heard, engine: Engine) -> Iterator[InProcessBackend]:
    """A worker with a real model (job 1) and a picture (job 2)."""
    with InProcessBackend(heard, load=lambda _request, _room, _progress: EngineAdapter(engine)) as backend:
        backend.send(LoadModel(1))
        backend.send(open_strip(2))
        heard.until(PicturePrepared, 2)
        yield backend


def spec(**other: object) -> GenerateSpec:
    fields: dict[str, object] = {"max_new_tokens": 6, "chosen": HEADS, "regions": PANELS} | other
    return GenerateSpec("strip", "What happens?", **fields)  # type: ignore[arg-type]


def test_what_crosses_is_what_the_engine_says(
    backend: InProcessBackend, heard: Heard, engine: Engine
) -> None:
    steering = Steering(HEADS, PANELS[3])
    backend.send(Generate(3, spec(steering=steering)))
    summary = heard.until(RunFinished, 3).run
    picture = decoded_image(open_strip(0).picture)
    run = engine.generate(picture, "What happens?", steering=steering, max_new_tokens=6)
    steps = heard.of(StepArrived, 3)
    assert tuple(step.token_id for step in steps) == run.token_ids
    assert (summary.text, summary.finish, summary.n_tok) == (run.text, run.finish, len(run.tokens))
    assert summary.request.tracked == engine.all_heads()
    assert summary.request.image_sha256 == run.request.image_sha256
    assert summary.audit is not None
    assert run.audit is not None
    assert_near(summary.audit.ledger.after_G, run.audit.ledger.after_G)
    assert summary.audit.n_rows == run.audit.n_rows
    raw, weighted = run.trajectory(PANELS), run.trajectory(PANELS, weighted=True)
    assert_near(np.stack([step.masses_R for step in steps]), raw.masses_TR)
    assert_near(np.stack([step.weighted_R for step in steps]), weighted.masses_TR)
    assert_near(np.stack([step.map_P for step in steps]), run.rows_THP.mean(axis=1))


def test_every_head_can_be_asked_for_afterwards(
    backend: InProcessBackend, heard: Heard, engine: Engine
) -> None:
    backend.send(Generate(3, spec(max_new_tokens=2)))
    heard.until(RunFinished, 3)
    picture = decoded_image(open_strip(0).picture)
    every = engine.all_heads()
    run = engine.generate(picture, "What happens?", max_new_tokens=2, track=every)
    backend.send(AskGallery(4, 3, (1,), tuple(every)))
    assert_near(heard.until(GalleryReady, 4).values_HP, run.rows_THP[1])
    tokens = run.grid.tokens(PANELS[0])
    backend.send(AskMass(5, 3, (0, 1), tokens))
    mass_LH = heard.until(MassReady, 5).mass_LH
    assert_near(mass_LH.ravel(), run.rows_THP[:, :, tokens].sum(-1).mean(0))


def test_a_target_moves_and_a_glance_is_one_token(backend: InProcessBackend, heard: Heard) -> None:
    backend.send(Generate(3, spec(steering=Steering(HEADS, PANELS[3]), max_new_tokens=30)))
    heard.until(StepArrived, 3)
    backend.send(Retarget(3, PANELS[0]))
    backend.send(Generate(4, spec(max_new_tokens=1, sampling=Sampling(1.0, seed=3))))
    assert heard.until(RunFinished, 4).run.n_tok == 1
    run = heard.until(RunFinished, 3).run
    assert [name for _, name in run.switches] == ["Panel 1"]


def test_rankings_arrive_bit_by_bit(backend: InProcessBackend, heard: Heard) -> None:
    backend.send(Discover(3, StripsSource("builtin", 2, seed=5), ("mass",)))
    rankings = heard.until(RankingsFinished, 3).rankings
    partial = heard.of(RankingPartial, 3)
    assert [(event.name, event.done, event.total) for event in partial] == [("mass", 1, 2), ("mass", 2, 2)]
    np.testing.assert_array_equal(partial[-1].scores_LH, rankings["mass"].scores_LH)
    assert rankings["mass"].split_half_overlap(4) is not None
    backend.send(Discover(4, StripsSource("builtin", 2), ("height",)))
    assert "height" in heard.until(Failed, 4).sentence


def test_a_model_is_loaded_with_its_own_ranking_and_progress(
    heard: Heard, untrained_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "with ranking"
    folder.mkdir()
    for file in untrained_model.iterdir():
        (folder / file.name).symlink_to(file)
    ranking = HeadRanking("mass", np.arange(64.0).reshape(8, 8))
    ranking.save(folder / RANKING_FILE)
    (folder / RANKINGS_FOLDER).mkdir()
    ranking.save(folder / RANKINGS_FOLDER / "causal.json")
    with InProcessBackend(heard) as backend:
        backend.send(LoadModel(1, str(folder), "cpu"))
        info = heard.until(ModelLoaded, 1).info
        assert info.default_ranking is not None
        assert info.default_ranking.top(3).heads == ranking.top(3).heads
        assert info.recommended == Recommended(12)
        assert info.recommended_moving == Recommended(12, ranking="gaze_head_ranking")
        assert info.rankings["causal"].order() == ranking.order()
        assert (info.shape_LH, info.device, info.dtype) == ((8, 8), "cpu", "float32")
        assert [event.done for event in heard.of(JobProgress, 1)][-1] == 100
        backend.send(LoadModel(2, str(tmp_path / "nothing")))
        assert heard.until(Failed, 2).kind == "user"
        backend.send(open_strip(3))
        heard.until(PicturePrepared, 3)  # the model before is still there
        (folder / RANKINGS_FOLDER / "causal.json").write_text("{")
        backend.send(LoadModel(4, str(folder), "cpu"))
        assert "causal.json" in heard.until(Failed, 4).sentence
        backend.send(open_strip(5))
        assert "No model" in heard.until(Failed, 5).sentence


def test_special_tokens_are_named_as_far_as_there_is_room(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dict(EngineAdapter(engine).info().special_tokens) == engine.loaded.special_tokens
    monkeypatch.setattr(machine, "NAMED_TOKENS", 2)
    assert EngineAdapter(engine).info().special_tokens == {0: "<|endoftext|>", 1: "<|im_start|>"}


def test_a_picture_may_cost_fewer_tokens(backend: InProcessBackend, heard: Heard) -> None:
    usual = heard.of(PicturePrepared, 2)[0].grid
    backend.send(OpenPicture(3, open_strip(3).picture, max_image_tok=12))
    small = heard.until(PicturePrepared, 3).grid
    assert small.n_tokens <= 12 < usual.n_tokens
    backend.send(Generate(4, spec(max_new_tokens=1)))
    assert heard.until(StepArrived, 4).map_P.shape == (small.n_tokens,)
    assert heard.until(RunFinished, 4).run.request.max_image_tokens == 12
    backend.send(open_strip(5))
    assert heard.until(PicturePrepared, 5).grid.n_tokens == usual.n_tokens


def test_pictures_come_from_files_and_from_bytes(tmp_path: Path) -> None:
    source = open_strip(1).picture
    file = tmp_path / "strip.png"
    file.write_bytes(source.data or b"")
    one, other = decoded_image(source), decoded_image(PictureSource("ab", "strip.png", path=str(file)))
    assert (one.size, one.mode) == (other.size, "RGB")
    assert one.tobytes() == other.tobytes()
    for broken in (b"", b"no picture", (source.data or b"")[:200]):
        with pytest.raises(UserError):
            decoded_image(PictureSource("ab", "broken.png", data=broken))


def test_the_app_loads_neither_torch_nor_the_engine_with_its_backend() -> None:
    code = (
        "import sys, gazeviz.backend.process, tests.fakes.fake\n"
        "found = {name.split('.')[0] for name in sys.modules} & {'torch', 'transformers', 'PySide6', 'PIL'}\n"
        "sys.exit(f'loaded: {found}' if found or 'gazeviz.engine.engine' in sys.modules else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
