"""Models to choose from: told from files, without loading anything.

The built-in model, the folders that were used lately, and what the local Hugging Face cache holds, with an
estimate of the memory that each would take. Looking around touches disks and asks the system, so
`ModelCatalogue` does it beside the screen's thread. Knows no widget and no torch.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final, Literal, TypeAlias

from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.session.settings import AppSettings
from gazeviz.doctor import memory_bytes
from gazeviz.domain.messages import ModelsListed
from gazeviz.domain.model_files import (
    FEWER_BITS,
    ITEM_BYTES,
    SPREAD_SHARE,
    TEXT_TOK,
    ModelSizes,
    Needs,
    StoredWeights,
    spread_name,
)
from gazeviz.errors import UserError
from gazeviz.model_folder import find_folder, folder_name
from gazeviz.model_verdict import ModelVerdict, verdict_on

# Where a model can compute, and how much memory is free there: asked of the system, not of torch.
#
# Whether torch can use a GPU is only known once the worker has tried it. Knows no model.


_SMI: Final = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,memory.free",
    "--format=csv,noheader,nounits",
)
_SMI_S: Final = 5.0
_MIB: Final = 1024**2


@dataclass(frozen=True)
class Device:
    """Somewhere to compute. device: as RunController.load_model takes it; bytes are None where unknown."""

    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None


def places() -> tuple[Device, ...]:
    """The processor, and GPUs that the system speaks of: of Nvidia by nvidia-smi, or a Mac's own."""
    total_bytes, free_bytes = memory_bytes()
    processor = Device("cpu", "Processor", total_bytes, free_bytes)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return processor, Device("mps", "Apple GPU", total_bytes, free_bytes)
    return processor, *together(nvidia_places(_smi_text(), os.environ.get("CUDA_VISIBLE_DEVICES")))


def together(gpus: Sequence[Device]) -> tuple[Device, ...]:
    """GPUs, and where there are several, all of them as one place that a model's layers are spread over."""
    if len(gpus) < 2:
        return tuple(gpus)
    total_bytes, free_bytes = _sum(gpu.total_bytes for gpu in gpus), _sum(gpu.free_bytes for gpu in gpus)
    usable_bytes = None if free_bytes is None else int(SPREAD_SHARE * free_bytes)
    return (*gpus, Device(spread_name(range(len(gpus))), f"All {len(gpus)} GPUs", total_bytes, usable_bytes))


def _sum(sizes: Iterable[int | None]) -> int | None:
    """All together; None where one is unknown."""
    known = list(sizes)
    return None if None in known else sum(size or 0 for size in known)


def nvidia_places(smi_csv: str, visible: str | None = None) -> tuple[Device, ...]:
    """Read nvidia-smi's table (index, uuid, name, MiB in all, MiB free); `visible`: CUDA_VISIBLE_DEVICES.

    Devices are numbered as they are listed there; CUDA may number unequal GPUs by speed instead.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in smi_csv.splitlines()]
    known = {key: row for row in rows if len(row) == 5 for key in row[:2]}
    wanted = [row[0] for row in rows if len(row) == 5]
    if visible is not None:
        wanted = [key.strip() for key in visible.split(",")]
    found: list[Device] = []
    for key in wanted:
        row = next(
            (row for name, row in known.items() if name == key or (key and name.startswith(key + "-"))), None
        )
        if row is None:
            break  # as CUDA: nothing behind a number that is not there
        found.append(Device(f"cuda:{len(found)}", row[2], _mib(row[3]), _mib(row[4])))
    return tuple(found)


def _mib(text: str) -> int | None:
    return int(text) * _MIB if text.isdigit() else None


def _smi_text() -> str:
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=_SMI_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


Origin: TypeAlias = Literal["built-in", "recent", "cache", "folder"]

DTYPES: Final = ("auto", *ITEM_BYTES, *FEWER_BITS)


@dataclass(frozen=True)
class SidebarModel:
    """A model that could be loaded.

    source: as RunController.load_model takes it.  name: as people call it.
    family: by its config.json, "" where that names none.  dtype: as stored.
    refusal: why it cannot be used, one sentence; "" where nothing speaks against it.
    verdict: all that its files tell, with what to do instead.
    """

    source: str | None
    name: str
    origin: Origin
    folder: Path
    family: str = ""
    disk_bytes: int = 0
    weights: StoredWeights | None = None
    sizes: ModelSizes | None = None
    refusal: str = ""
    verdict: ModelVerdict | None = None

    @property
    def dtype(self) -> str:
        """Number type of the stored weights, "" where that is unknown."""
        return self.weights.dtype if self.weights else ""

    @property
    def n_parameters(self) -> int:
        """Floating numbers in its files."""
        return self.weights.n_floating if self.weights else 0


@dataclass(frozen=True)
class Estimate:
    """What a model would take, where and as what."""

    place: Device
    dtype: str
    needs: Needs

    @property
    def needed_bytes(self) -> int:
        """What has to be free there."""
        return self.needs.most_bytes

    @property
    def fits(self) -> bool | None:
        """Whether it fits into what is free now; None where nobody knows."""
        free_bytes = self.place.free_bytes
        return None if free_bytes is None else self.needed_bytes <= free_bytes


@dataclass(frozen=True)
class PromptLength:
    """How long the prompt is that memory is estimated for, and how long the answer to it may be."""

    n_image_tok: int = 1280
    n_text_tok: int = TEXT_TOK


def estimate(
    model: SidebarModel,
    places: Sequence[Device],
    device: str = "auto",
    dtype: str = "auto",
    asked: PromptLength = PromptLength(),
) -> Estimate | None:
    """Return what a model would take; None where its weights are unknown, or the place is.

    As the engine chooses: "auto" is the GPU with the most free memory that the model fits into, else the
    processor, there as float32 or, where only that fits, as stored; numbers are float32 on the processor and
    as stored on a GPU unless one is asked for.
    """
    if model.weights is None:
        return None
    if device != "auto":
        named = [place for place in places if place.device == device]
        return _taken(model, named[0], dtype, asked) if named else None
    gpus = [_taken(model, place, dtype, asked) for place in places if place.device != "cpu"]
    fitting = [taken for taken in gpus if taken.fits is not False]
    alone = [taken for taken in fitting if "+" not in taken.place.device]
    if fitting:
        return max(alone or fitting, key=lambda taken: taken.place.free_bytes or 0)
    processor = next((place for place in places if place.device == "cpu"), None)
    if processor is None:
        return None
    usual = _taken(model, processor, dtype, asked)
    if usual.fits is False and dtype == "auto" and model.dtype in ITEM_BYTES:
        as_stored = _taken(model, processor, model.dtype, asked)
        return as_stored if as_stored.fits else usual
    return usual


def estimates(
    model: SidebarModel, places: Sequence[Device], dtype: str, asked: PromptLength
) -> tuple[Estimate, ...]:
    """What a model would take at each place; none where its weights are unknown."""
    return tuple(_taken(model, place, dtype, asked) for place in places) if model.weights else ()


def _taken(model: SidebarModel, place: Device, dtype: str, asked: PromptLength) -> Estimate:
    assert model.weights is not None
    name = dtype if dtype != "auto" else "float32" if place.device == "cpu" else model.dtype
    computed_in = "float32" if place.device == "cpu" else "bfloat16"
    needs = Needs.as_numbers(
        model.weights, model.sizes, name, asked.n_image_tok, asked.n_text_tok, computed_in
    )
    return Estimate(place, name, needs)


def look_into(folder: Path, source: str | None, origin: Origin) -> SidebarModel:
    """Describe a model folder as far as its files tell; what speaks against it is in `refusal`."""
    verdict = verdict_on(folder)
    return SidebarModel(
        source, verdict.name, origin, folder, verdict.family, _disk_bytes(folder),
        verdict.weights, verdict.sizes, verdict.why, verdict,
    )  # fmt: skip


def _disk_bytes(folder: Path) -> int:
    """Bytes of its files, those behind links too."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


# The Hugging Face cache


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where downloaded models lie, as huggingface_hub decides it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return _at_home(os.path.expandvars(environment[name]))
    home = environment.get("HF_HOME")
    if home:
        return _at_home(os.path.expandvars(home)) / "hub"
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return _at_home(cache) / "huggingface" / "hub"


def _at_home(text: str) -> Path:
    # not Path.expanduser, which raises for an unknown user: huggingface_hub leaves such a `~` as it is
    return Path(os.path.expanduser(text))  # noqa: PTH111


def cached_models(cache: Path) -> Iterator[SidebarModel]:
    """Every model of the cache that is there completely: the snapshot of its main branch, else the newest."""
    try:
        repositories = sorted(cache.glob("models--*"))
    except OSError:
        return
    for repository in repositories:
        main = _main_commit(repository)
        snapshots = sorted(
            (path for path in repository.glob("snapshots/*") if path.is_dir()),
            key=lambda path: (path.name == main, path.stat().st_mtime),
            reverse=True,
        )
        chosen = next((path for path in snapshots if is_complete(path)), None)
        if chosen is not None:
            source = folder_name(chosen) if chosen.name == main else str(chosen)
            yield look_into(chosen, source, "cache")


def is_complete(snapshot: Path) -> bool:
    """Whether a snapshot holds all that belongs to a model: no dead link, and every file of its index."""
    if not (snapshot / "config.json").is_file() or any(not path.exists() for path in snapshot.iterdir()):
        return False
    index = snapshot / "model.safetensors.index.json"
    if not index.is_file():
        return any(snapshot.glob("*.safetensors")) or any(snapshot.glob("*.bin"))
    try:
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    return all((snapshot / str(shard)).is_file() for shard in shards)


def _main_commit(repository: Path) -> str:
    try:
        return (repository / "refs" / "main").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


# The catalogue


@dataclass(frozen=True)
class CatalogueListing:
    """What was found: usable models first, in the order of where they come from."""

    models: tuple[SidebarModel, ...] = ()
    places: tuple[Device, ...] = ()

    def at(self, folder: Path) -> SidebarModel | None:
        """The model that lies in a folder."""
        return next((model for model in self.models if model.folder == folder), None)


def look_around(recent: Iterable[str], folders: Iterable[str], cache: Path) -> CatalogueListing:
    """Look at the built-in model, chosen folders, recent ones and the cache; each folder is listed once."""
    found: dict[Path, SidebarModel] = {}
    wanted: list[tuple[str | None, Origin]] = [(None, "built-in")]
    wanted += [(source, "folder") for source in folders]
    wanted += [(source, "recent") for source in recent]
    for source, origin in wanted:
        if source is not None and Path(source).is_absolute() and not Path(source).exists():
            continue  # moved or deleted since, and not worth asking the hub's library about
        try:
            folder = find_folder(source)
        except (UserError, OSError):
            continue
        found.setdefault(folder, look_into(folder, source, origin))
    for model in cached_models(cache):
        found.setdefault(model.folder, model)
    return CatalogueListing(tuple(sorted(found.values(), key=lambda model: bool(model.refusal))), places())


AskElsewhere: TypeAlias = Callable[[Callable[[ModelsListed], object]], object]
"""Asks another machine for its models; the answer goes to what it is given."""


def listing_of(listed: ModelsListed) -> CatalogueListing:
    """What another machine has said of its models and devices."""
    models = tuple(
        SidebarModel(
            model.source, model.name, model.origin, Path(model.folder), model.family, model.disk_bytes,
            model.weights, model.sizes, model.refusal,
        )
        for model in listed.models
    )  # fmt: skip
    places = tuple(
        Device(place.device, place.name, place.total_bytes, place.free_bytes) for place in listed.devices
    )
    return CatalogueListing(models, places)


class ModelCatalogue(QObject):
    """Looks around beside the screen's thread."""

    changed = Signal()
    _looked = Signal(int, object)  # number of the look; CatalogueListing

    def __init__(self, settings: AppSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._folders: tuple[str, ...] = ()
        self._elsewhere: AskElsewhere | None = None
        self._looks: list[Thread] = []
        self._number = self._seen = 0
        self.listing = CatalogueListing()
        """What was found last."""
        self._looked.connect(self._on_looked, Qt.ConnectionType.QueuedConnection)

    @property
    def looking(self) -> bool:
        """Whether it is looking around now."""
        return self._number != self._seen

    def look_elsewhere(self, ask: AskElsewhere | None) -> None:
        """List what another machine has, as it says when asked; None: what this computer has."""
        self._elsewhere = ask
        self.listing = CatalogueListing()
        self.refresh()

    def refresh(self) -> None:
        """Look around; `changed` tells when that is done."""
        self._number += 1
        if self._elsewhere is not None:
            asked = self._number
            self._elsewhere(lambda listed: self._on_looked(asked, listing_of(listed)))
            return
        number, folders = self._number, self._folders
        recent = self._settings.recent_models

        def work() -> None:
            listing = look_around(recent, folders, cache_folder())
            with suppress(RuntimeError):  # the catalogue may have been deleted meanwhile
                self._looked.emit(number, listing)

        self._looks = [look for look in self._looks if look.is_alive()]
        self._looks.append(Thread(target=work, name="model catalogue", daemon=True))
        self._looks[-1].start()

    def add_folder(self, folder: str | Path) -> None:
        """List another folder, and look around."""
        path = str(folder)
        self._folders = (path, *(known for known in self._folders if known != path))
        self.refresh()

    def close(self) -> None:
        """Wait for the looks that are under way."""
        for look in self._looks:
            look.join()

    def _on_looked(self, number: int, listing: CatalogueListing) -> None:
        if number == self._number:
            self._seen = number
            self.listing = listing
            self.changed.emit()
