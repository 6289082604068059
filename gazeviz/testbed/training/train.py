"""Train the built-in model: `python -m gazeviz.testbed.training.train --out FOLDER`.

A curriculum (one panel, two, three, then everything), Muon for the layers' matrices, AdamW for the rest and
warm-up-stable-decay learning rate: the end need not be known at the start, it is decided by `--decay-steps`
or by writing a number of steps into a file `decay` in the checkpoint folder. A run resumes at its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils.data import DataLoader

from gazeviz.testbed.training import data
from gazeviz.testbed.training.data import PHASES, SCENE, BatchSource, PackedBatch
from gazeviz.testbed.training.growth import digest, grow_from
from gazeviz.testbed.training.model import build_model, save_pretrained
from gazeviz.testbed.training.muon import Muon
from gazeviz.testbed.training.packed_pass import PackedPass
from gazeviz.testbed.training.training_check import check

if TYPE_CHECKING:
    from transformers import Qwen3VLForConditionalGeneration

LOG_EVERY: Final = 50
CHECKPOINT: Final = "checkpoint.pt"
DECAY_REQUEST: Final = "decay"
CURVES: Final = ("step", "direct", "narration", "ambiguous", "scene_list", "scene_false")  # kept of a check


@dataclass(frozen=True)
class Settings:
    """Everything that can change the weights a run ends with."""

    seed: int = 0
    phase_steps: tuple[int, ...] = (500, 350, 350)
    optimiser: str = "muon"
    muon_rate: float = 3e-3
    adam_rate: float = 1e-3
    warmup_steps: int = 200
    clip: float = 1.0
    source_sha256: str = ""
    """Digest of the weights file that the run began with, grown to this model; "" for a run from nothing."""

    def phase_of_step(self, n_steps: int) -> list[int]:
        """The phase's index of every step: the early phases' lengths, then the last one to the end."""
        early = [index for index, length in enumerate(self.phase_steps) for _ in range(length)]
        return (early + [len(PHASES) - 1] * n_steps)[:n_steps]


@dataclass
class Progress:
    """Where a run stands; the rate falls from step `decay_start` on, over `decay_steps`, if not None."""

    step: int = 0
    decay_start: int | None = None
    decay_steps: int = 0

    def rate(self, settings: Settings) -> float:
        """The factor on the learning rates now: up over the warm-up, flat, then down to zero."""
        warm = min(1.0, (self.step + 1) / settings.warmup_steps)
        if self.decay_start is None:
            return warm
        return warm * max(0.0, 1 - (self.step - self.decay_start) / self.decay_steps)

    def ends_at(self, n_steps: int) -> int:
        """The step at which the run is over."""
        return n_steps if self.decay_start is None else self.decay_start + self.decay_steps


class Trainer:
    """One training run in a folder: model, optimisers, history; `run` takes it to its end."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        device: str = "cpu",
        snapshot: Path | None = None,
        source: Path | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings if source is None else replace(settings, source_sha256=digest(source))
        self.device = torch.device(device)
        self.snapshot = snapshot
        self.model = build_model(seed=settings.seed)
        if source is not None:
            grow_from(source, self.model)
        self.model.to(device).train()  # type: ignore[arg-type]
        self.packed = PackedPass(self.model)
        self.optimisers = build_optimisers(self.model, settings)
        self.progress = Progress()
        self.history: list[dict[str, object]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, n_steps: int, *, check_every: int = 300, decay_steps: int = 0) -> None:
        """Train up to `n_steps`, or until the decay that was asked for ends."""
        self._log({"step": self.progress.step, "phases": describe_phases(), "shares": data.describe_shares()})
        if decay_steps:
            self._start_decay(decay_steps)
        seen, loss_sum, since = 0, 0.0, time.monotonic()
        for batch in self._batches(max(n_steps, self.progress.ends_at(n_steps))):
            loss_sum, seen = loss_sum + self.step(batch), seen + 1
            if self.progress.step % LOG_EVERY == 0:
                self._log_loss(loss_sum / seen, (time.monotonic() - since) / seen, n_steps)
                self._read_decay_request()
                seen, loss_sum, since = 0, 0.0, time.monotonic()
            if self.progress.step % check_every == 0:
                self._log({"step": self.progress.step, **self.check()})
                self.save()
                since = time.monotonic()
            if self.progress.step >= self.progress.ends_at(n_steps):
                break
        self.save()

    def step(self, batch: PackedBatch) -> float:
        """One update from one batch; returns the loss."""
        loss = self.packed.loss(_to(batch, self.device))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        factor = self.progress.rate(self.settings)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["full_rate"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.progress.step += 1
        return float(loss.detach())

    def check(self) -> dict[str, object]:
        """Greedy accuracy on fresh held-out pictures, and the seconds that it took."""
        started = time.monotonic()
        self.model.train(False)
        found = check(self.model)
        self.model.train()
        return {**found, "check_s": round(time.monotonic() - started, 1)}

    def save(self) -> None:
        """Write the checkpoint and, if wanted, a loadable copy of the model; neither is ever half-written."""
        state = {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": asdict(self.progress),
            "settings": asdict(self.settings),
            "history": self.history,
        }
        partial = self.folder / f"{CHECKPOINT}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)
        if self.snapshot is not None:
            export_model(self.model, self.snapshot, self.settings, self.progress, self.history)

    def resume(self) -> None:
        """Take up the folder's checkpoint; FileNotFoundError if there is none."""
        state = torch.load(self.folder / CHECKPOINT, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            full_rates = [group["full_rate"] for group in optimiser.param_groups]
            optimiser.load_state_dict(saved)
            for group, full_rate in zip(optimiser.param_groups, full_rates, strict=True):
                group["full_rate"] = full_rate
        self.progress = Progress(**state["progress"])
        self.history = state["history"]
        self.settings = replace(self.settings, source_sha256=state["settings"]["source_sha256"])

    def _batches(self, n_steps: int) -> Iterator[PackedBatch]:
        # Room behind the end: a decay asked for late may end later than the run was first meant to.
        phases = self.settings.phase_of_step(n_steps + 100_000)
        loader = DataLoader(
            BatchSource(phases, self.settings.seed),
            sampler=range(self.progress.step, len(phases)),
            batch_size=None,
            num_workers=1,
            prefetch_factor=4,
        )
        return iter(loader)

    def _read_decay_request(self) -> None:
        request = self.folder / DECAY_REQUEST
        if request.exists():
            self._start_decay(int(request.read_text()))
            request.unlink()

    def _start_decay(self, n_steps: int) -> None:
        self.progress.decay_start, self.progress.decay_steps = self.progress.step, n_steps
        self._log({"step": self.progress.step, "decay_steps": n_steps})

    def _log_loss(self, loss: float, step_s: float, n_steps: int) -> None:
        phase = PHASES[self.settings.phase_of_step(self.progress.step)[-1]].name
        self._log(
            {
                "step": self.progress.step,
                "phase": phase,
                "loss": round(loss, 4),
                "step_s": round(step_s, 3),
                "rate": round(self.progress.rate(self.settings), 4),
            }
        )

    def _log(self, entry: dict[str, object]) -> None:
        self.history.append(entry)
        print(time.strftime("%H:%M:%S"), json.dumps(entry), flush=True)
        partial = self.folder / "history.json.partial"
        partial.write_text(json.dumps(self.history, indent=1))
        partial.replace(self.folder / "history.json")


def build_optimisers(
    model: Qwen3VLForConditionalGeneration, settings: Settings
) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embeddings, vectors, patches and mergers; or AdamW for all.

    The mergers' few 512 x 512 matrices would take most of Muon's time.
    """
    hidden, decayed, plain = [], [], []
    for name, parameter in model.named_parameters():
        inner = ".layers." in name or ".blocks." in name
        if settings.optimiser == "muon" and parameter.ndim == 2 and inner:
            hidden.append(parameter)
        elif parameter.ndim >= 2:
            decayed.append(parameter)
        else:
            plain.append(parameter)
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=settings.adam_rate, betas=(0.9, 0.98), fused=True)
    ]
    if hidden:
        optimisers.append(Muon(hidden, lr=settings.muon_rate))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["full_rate"] = group["lr"]
    return optimisers


def export_model(
    model: Qwen3VLForConditionalGeneration,
    folder: Path,
    settings: Settings,
    progress: Progress,
    history: Sequence[dict[str, object]],
) -> None:
    """Put the model's files and training.json at `folder` in one rename: a link to a folder beside it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = folder.with_name(f"{folder.name}-step{progress.step}")
    shutil.rmtree(written, ignore_errors=True)
    save_pretrained(written, model)
    write_training_record(written, settings, progress, history)
    link = folder.with_name(f"{folder.name}.partial")
    link.unlink(missing_ok=True)
    link.symlink_to(written.name)
    old = folder.resolve() if folder.is_symlink() else None
    link.replace(folder)
    if old is not None and old != written.resolve():
        shutil.rmtree(old, ignore_errors=True)


def describe_phases() -> list[dict[str, object]]:
    """The curriculum in plain values: a run resumed under another one must show it."""
    return [
        {
            "name": phase.name,
            "n_pictures": phase.n_pictures,
            "layouts": {
                "scene" if layout == SCENE else f"{layout[0]}x{layout[1]}": weight
                for layout, weight in phase.layouts.items()
            },
        }
        for phase in PHASES
    ]


def write_training_record(
    folder: Path,
    settings: Settings,
    progress: Progress,
    history: Sequence[dict[str, object]],
    source: Path | None = None,
) -> None:
    """Write training.json: settings, the mixture at the start and at each resumption, losses and checks.

    With `source`, the record of the model that the run went on from comes along, without its own losses.
    """
    checks = [entry for entry in history if "direct" in entry]
    record: dict[str, Any] = {"settings": asdict(settings), "progress": asdict(progress)}
    record["mixtures"] = [entry for entry in history if "phases" in entry]
    record["last_check"] = checks[-1] if checks else None
    record["losses"] = [[entry["step"], entry["loss"]] for entry in history if "loss" in entry]
    record["checks"] = [{key: entry[key] for key in CURVES if key in entry} for entry in checks]
    if source is not None:
        before = json.loads((source / "training.json").read_text(encoding="utf-8"))
        record["source"] = {key: before[key] for key in before if key not in ("losses", "checks")}
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _to(batch: PackedBatch, device: torch.device) -> PackedBatch:
    if device.type == "cpu":
        return batch
    return PackedBatch(
        patches=batch.patches.to(device),
        grid=batch.grid,
        prefix_ids=batch.prefix_ids.to(device),
        groups=tuple(group.to(device) for group in batch.groups),
        predicting_positions=batch.predicting_positions.to(device),
        targets=batch.targets.to(device),
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gazeviz.testbed.training.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--snapshot", type=Path, help="where a loadable model is kept up to date")
    parser.add_argument("--export", type=Path, help="folder for the finished model's files")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--phase-steps", type=int, nargs=3, default=Settings.phase_steps)
    parser.add_argument(
        "--from", type=Path, dest="source", help="folder of a trained model to grow and go on from"
    )
    parser.add_argument("--optimiser", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--muon-rate", type=float, default=Settings.muon_rate)
    parser.add_argument("--adam-rate", type=float, default=Settings.adam_rate)
    parser.add_argument("--warmup-steps", type=int, default=Settings.warmup_steps)
    parser.add_argument("--decay-steps", type=int, default=0, help="start the decay now, over so many steps")
    parser.add_argument("--check-every", type=int, default=300)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--compile", action="store_true", help="fuse the layers' elementwise work")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run or resume a training run from the command line."""
    arguments = _arguments(argv)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    torch.set_num_threads(arguments.threads)
    settings = Settings(
        seed=arguments.seed,
        phase_steps=tuple(arguments.phase_steps),
        optimiser=arguments.optimiser,
        muon_rate=arguments.muon_rate,
        adam_rate=arguments.adam_rate,
        warmup_steps=arguments.warmup_steps,
    )
    trainer = Trainer(
        arguments.out,
        settings,
        device=arguments.device,
        snapshot=arguments.snapshot,
        source=None if arguments.resume else arguments.source,
    )
    if arguments.resume:
        trainer.resume()
    if arguments.compile:
        trainer.packed.compile()
    trainer.run(arguments.steps, check_every=arguments.check_every, decay_steps=arguments.decay_steps)
    if arguments.export is not None:
        save_pretrained(arguments.export, trainer.model)
        write_training_record(
            arguments.export, trainer.settings, trainer.progress, trainer.history, arguments.source
        )


if __name__ == "__main__":
    main()
