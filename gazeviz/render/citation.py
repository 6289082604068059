"""What a report asks to be cited: the paper whose idea this is, and the software.

Knows nothing of reports.
"""

from dataclasses import dataclass
from typing import Final

from gazeviz import __version__


@dataclass(frozen=True)
class Source:
    """Something to cite, as a sentence and as BibTeX."""

    text: str
    bibtex: str


PAPER: Final = Source(
    "Rohit Gandikota and David Bau. Gaze Heads: How VLMs Look at What They Describe. arXiv 2606.14703, 2026.",
    """@article{gandikota2026gazeheads,
  title   = {Gaze Heads: How {VLMs} Look at What They Describe},
  author  = {Gandikota, Rohit and Bau, David},
  journal = {arXiv preprint arXiv:2606.14703},
  year    = {2026}
}""",
)
SOFTWARE: Final = Source(
    f"gazeviz developers. gazeviz, version {__version__}. MIT licence.",
    f"""@software{{gazeviz,
  title   = {{gazeviz: find, see and steer the heads that look at what a vision-language model describes}},
  author  = {{{{gazeviz developers}}}},
  version = {{{__version__}}},
  license = {{MIT}}
}}""",
)
CITATIONS: Final = (PAPER, SOFTWARE)
