"""Fetching a model from the hub: what would be fetched, at which revision, and the fetching itself.

The only module of the program that goes onto the network, and only when a person has asked for it: everything
else reads what is in the local cache. Files go into the Hugging Face cache, where other programs find them,
too; what was interrupted goes on where it stopped. Knows no window and no model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gazeviz.domain.model_files import family_name
from gazeviz.domain.wording import format_file_size, plural
from gazeviz.errors import UserError
from gazeviz.model_verdict import settings_refusal

BRANCH: Final = "main"
_WANTED: Final = (".json", ".jinja", ".model", ".safetensors", ".txt")
_CONFIG: Final = "config.json"
_SHA256_LETTERS: Final = 64
_RESUMED_BYTES: Final = 2**20  # files from this size on go on where an earlier call stopped

Told = Callable[[int, int, str], None]
"""Told bytes here, bytes in all, and the file that is being fetched."""


@dataclass(frozen=True)
class Offer:
    """What a repository holds that a model needs.

    revision: the branch or tag that was asked for; commit: what it stands for now, which is what is fetched.
    files: name and bytes. cache: where they go.
    """

    repository: str
    revision: str
    commit: str
    files: tuple[tuple[str, int], ...]
    cache: Path

    @property
    def n_bytes(self) -> int:
        """Bytes of all files, those among them that are here already."""
        return sum(size for _, size in self.files)

    @property
    def sentence(self) -> str:
        """What would be done, for a person to agree to."""
        return (
            f"{self.repository} at {self.commit[:12]}: {plural(len(self.files), 'file')},"
            f" {format_file_size(self.n_bytes)}, into {self.cache}."
        )


def go_online() -> None:
    """Allow this process to reach the hub; to be called before huggingface_hub is imported."""
    os.environ["HF_HUB_OFFLINE"] = "0"
    os.environ.pop("TRANSFORMERS_OFFLINE", None)


def look_up(repository: str, revision: str = BRANCH) -> Offer:
    """Ask the hub what a repository holds.

    Raises:
        UserError: there is none, it may not be read, the hub cannot be reached, or the model in it would not
            work here (told from its config.json, before anything large is fetched).
    """
    from huggingface_hub import HfApi, constants, hf_hub_download

    with _refusals(repository, revision):
        found = HfApi().model_info(repository, revision=revision, files_metadata=True)
        files = tuple(
            (file.rfilename, int(file.size or 0)) for file in found.siblings or () if _wanted(file.rfilename)
        )
        commit = str(found.sha)
        if _CONFIG not in dict(files):
            raise UserError(
                f"{repository} holds no config.json, so it is no model in the form that gazeviz reads.",
                next_step="Name a repository with config.json and *.safetensors files.",
            )
        config = Path(hf_hub_download(repository, _CONFIG, revision=commit))
    _check(repository, config, files)
    return Offer(repository, revision, commit, files, Path(constants.HF_HUB_CACHE))


def fetch(offer: Offer, told: Told = lambda _done, _all, _name: None) -> Path:
    """Fetch what is offered and not here yet; returns its folder in the cache.

    An interrupted file goes on where it stopped. Only when all is there does the name of the branch stand for
    it, so that half a model is never found by name. UserError as `look_up`, and where the disk is too full.
    """
    from huggingface_hub import hf_hub_download

    offer.cache.mkdir(parents=True, exist_ok=True)
    missing = [(name, size) for name, size in offer.files if not _here(offer, name)]
    free = shutil.disk_usage(offer.cache).free
    need = sum(size for _, size in missing)
    if need > free:
        raise UserError(
            f"{format_file_size(need)} are to be fetched and {format_file_size(free)} are free.",
            next_step="Make room, or set HF_HOME to a folder on a larger disk.",
        )
    done = offer.n_bytes - need
    with _refusals(offer.repository, offer.revision):
        for name, size in missing:
            told(done, offer.n_bytes, name)
            counter = _counting(_behind(done, offer.n_bytes, name, told))
            if size >= _RESUMED_BYTES:
                _fetch_blob(offer, name, counter)
            hf_hub_download(offer.repository, name, revision=offer.commit, tqdm_class=counter)
            done += size
    told(offer.n_bytes, offer.n_bytes, "")
    repository = _folder(offer)
    if offer.revision != offer.commit:
        reference = repository / "refs" / offer.revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(offer.commit, encoding="utf-8")
    return repository / "snapshots" / offer.commit


def _fetch_blob(offer: Offer, name: str, counter: Any) -> None:
    """Fetch a large file to where the cache keeps it by its digest, from where an earlier call stopped.

    The hub's own library begins a file anew in each process; it finds the finished one by its name here.
    UserError for one that is not what its digest says.
    """
    from urllib.parse import urlparse

    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(offer.repository, name, revision=offer.commit)
    known = get_hf_file_metadata(url)
    blob = _folder(offer) / "blobs" / str(known.etag)
    if not known.etag or not known.size or blob.exists():
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    part = blob.with_name(f"{blob.name}.part")
    headers = build_hf_headers()
    if urlparse(known.location).netloc != urlparse(url).netloc:
        headers.pop("authorization", None)  # a person's token is for the hub alone
    part.touch()
    with part.open("r+b") as file:
        here = file.seek(0, os.SEEK_END)
        http_get(
            known.location, file, resume_size=here, headers=headers, expected_size=known.size,
            displayed_filename=name, tqdm_class=counter,
        )  # fmt: skip
    if len(known.etag) == _SHA256_LETTERS and _sha256(part) != known.etag:
        part.unlink()
        raise UserError(f"{name} arrived damaged.", next_step="Call it again: it is fetched anew.")
    part.replace(blob)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(offer: Offer) -> Path:
    """Where the cache keeps a repository."""
    return offer.cache / f"models--{offer.repository.replace('/', '--')}"


def _wanted(name: str) -> bool:
    """Whether a file belongs to a model as it is loaded here: no other formats, no code, no pictures."""
    return "/" not in name and name.endswith(_WANTED) and not name.startswith("consolidated")


def _check(repository: str, config: Path, files: tuple[tuple[str, int], ...]) -> None:
    """Refuse what would not work, before gigabytes of it are fetched."""
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"The config.json of {repository} cannot be read.", next_step="Name another repository."
        ) from error
    why, instead = settings_refusal(settings)
    if why:
        raise UserError(f"{repository}: {why}", next_step=instead)
    if not any(name.endswith(".safetensors") for name, _ in files):
        raise UserError(
            f"{repository} ({family_name(settings)}) holds no *.safetensors files.",
            next_step="Name a repository that does; other forms of weights are not read.",
        )


def _here(offer: Offer, name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(offer.repository, name, revision=offer.commit), str)


def _behind(done: int, total: int, name: str, told: Told) -> Callable[[int], None]:
    """Tell of one file's bytes as of those of all files, `done` of them before it."""
    return lambda n_here: told(done + n_here, total, name)


def _counting(told: Callable[[int], None]) -> Any:
    """What the hub's library takes for a progress bar: it draws nothing and tells the bytes that are here."""

    class Counting:
        def __init__(self, *_: Any, initial: int = 0, **options: Any) -> None:
            self._here, self.total, self.disable = int(initial or 0), options.get("total"), False

        def update(self, n: float | None = 1) -> None:
            self._here += int(n or 0)
            told(self._here)

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __getattr__(self, name: str) -> Callable[..., None]:
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_, **__: None  # whatever else a bar can do

    return Counting


@contextmanager
def _refusals(repository: str, revision: str) -> Iterator[None]:
    """What the hub or the line to it says, as a sentence."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(
            f"“{repository}” is no name of a repository.",
            next_step="Write it like Qwen/Qwen3-VL-2B-Instruct.",
        ) from error
    except errors.GatedRepoError as error:
        raise UserError(
            f"{repository} may only be read by those who have accepted its conditions.",
            next_step=f"Accept them at huggingface.co/{repository}, then log in: hf auth login.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"The hub knows no model {repository}, or it is private.",
            next_step="Check its name; for a private one, log in: hf auth login.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(
            f"{repository} has no revision “{revision}”.", next_step="Name a branch, a tag or a commit of it."
        ) from error
    except UserError:
        raise
    except Exception as error:
        # Whatever the library under the hub's, or the line, can fail with: nothing of it is ours.
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"{repository} could not be fetched: {said.rstrip('.')}.",
            next_step="Check the connection and call it again: it goes on where it stopped.",
        ) from error
