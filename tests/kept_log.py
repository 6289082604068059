"""A log with runs of every kind in it, that tests of replaying and reporting read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, LoggedRun, PictureSource
from gazeviz.domain.region import Region
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.store.reader import LogReader
from gazeviz.store.session_store import SessionStore
from gazeviz.testbed.world.world import builtin_strips
from tests.logged_runs import Notebook, as_png, sha256_of

PROMPT = 'What\'s "this"?\n<b> =1+1 😀'
HEADS = HeadSet.of("L1H2,L3H0,L5H5")


class Kept:
    """A log with runs of every kind in it, and where its pictures are."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.path, self.model = folder / "log.db", model
        store = SessionStore(self.path, program="test")
        store.open_session("A morning")
        notebook = Notebook(model, store)
        strip = builtin_strips(1)[0]
        self.sha256 = sha256_of(strip.image)
        self.file = folder / "a strip's.png"
        strip.image.save(self.file)
        notebook.open(PictureSource(self.sha256, self.file.name, path=str(self.file)), Layout(1, 6))
        self.panels = panel_regions(Layout(1, 6), *strip.image.size)
        ranking = HeadRanking("mass", np.random.default_rng(0).random(notebook.info.shape_LH), 3)
        store.ranking_saved(ranking, notebook.info.fingerprint)
        ids = {name: notebook.write(spec, *more).id for name, spec, *more in self._specs()}
        pasted = Image.fromarray(np.asarray(strip.image)[:, ::-1].copy())
        self.pasted_sha256 = sha256_of(pasted)
        notebook.open(PictureSource(self.pasted_sha256, "pasted", data=as_png(pasted)))
        spec = GenerateSpec(self.pasted_sha256, PROMPT, max_new_tokens=4, chosen=HEADS)
        ids["pasted"] = notebook.write(spec).id
        store.note_run(ids["box"], "the one")
        store.close()
        self.reader = LogReader(self.path)
        self.runs: dict[str, LoggedRun] = {name: self.reader.run(run_id) for name, run_id in ids.items()}

    def _specs(self) -> Iterator[tuple[Any, ...]]:
        size_px = self.panels[0].size_px
        plain = GenerateSpec(self.sha256, PROMPT, max_new_tokens=5, chosen=HEADS, regions=self.panels)
        blob = Region.ellipse("a blob", (20, 5, size_px[0] * 0.4, size_px[1] * 0.9), size_px)
        box = Steering(HEADS, self.panels[3])
        yield "baseline", plain
        yield "box", replace(plain, steering=box)
        yield "late", replace(plain, steering=replace(box, scope="decode_only", strength="hard"))
        yield "painted", replace(plain, steering=Steering(HEADS, blob, mode="mass", alpha=0.6))
        yield "moving", replace(plain, steering=replace(box, schedule=Schedule.every(2, self.panels[:3])))
        yield "moved", replace(plain, steering=box), [(2, self.panels[0])]
        yield "stopped", replace(plain, steering=box), (), 2
        yield "drawn", replace(plain, sampling=Sampling(0.9, 0.9, 3))
