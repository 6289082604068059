"""The experiments of the gaze-heads paper (arXiv 2606.14703) as a list, each with the figures published.

Published figures are of Qwen3-VL-8B unless said otherwise, in per cent (rho for dynamic narration).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Work: TypeAlias = Literal["evaluation", "overlap", "layers"]


@dataclass(frozen=True)
class PaperExperiment:
    """One experiment. shows: figure or table of the paper.  work: an evaluation, or figures of rankings.

    protocol, controls, sweep: of an evaluation, as the command line writes them.
    published: condition or place of the sweep to the paper's figure.
    """

    name: str
    title: str
    shows: str
    protocol: str = "vqa"
    controls: str = "uniform:10"
    sweep: tuple[str, ...] = ()
    pictures: str = "strips"
    judge: str = "exact"
    work: Work = "evaluation"
    published: Mapping[str, float] = field(default_factory=dict)


EXPERIMENTS: Final = (
    PaperExperiment(
        "vqa", "Steered answers", "figure 3",
        controls="uniform:10,layers:10,all,lowest,wrong-region,zero,prompt",
        published={"gaze": 83.1, "uniform": 14.6, "all": 0.9},
    ),
    PaperExperiment(
        "static", "Static narration", "figure 3", "static", "uniform:10,all",
        published={"gaze": 79.4, "uniform": 5.6, "all": 0.5},
    ),
    PaperExperiment(
        "dynamic", "Dynamic narration", "figures 5 and 6", "dynamic", "uniform:10",
        published={"gaze": 0.87, "uniform": -0.15},
    ),
    PaperExperiment(
        "photos", "Regions of pictures", "table 1", "region", "uniform:10", pictures="scenes",
        judge="lexical", published={"gaze": 76.5, "uniform": 25.9},
    ),
    PaperExperiment(
        "k", "Number of heads", "figure 8", sweep=("top=1,2,5,10,15,20",),
        published={"gaze top=100 of 1152": 83.1},
    ),
    PaperExperiment(
        "strength", "Strength", "table 4", controls="", sweep=("strength=1,10,100,1000,10000",),
        published={
            "gaze strength=1": 33.2, "gaze strength=10": 79.8, "gaze strength=100": 79.8,
            "gaze strength=1000": 76.8, "gaze strength=10000": 83.1,
        },
    ),
    PaperExperiment(
        "wordings", "Wordings of the question", "table 7", controls="uniform:3",
        sweep=(
            "wording=What is the main action or event happening in this comic strip? Answer briefly."
            "|What is happening in this panel of the comic strip?|Describe this panel.",
        ),
        published={},
    ),
    PaperExperiment(
        "pools", "Pools of random heads", "table 3", controls="uniform:10,layers:10,lower:10",
        published={"gaze": 83.1, "uniform": 14.6},
    ),
    PaperExperiment(
        "baselines", "Baseline rankings", "table 5", controls="",
        sweep=("ranking=mass,image_heads,localization",),
        published={
            "gaze ranking=mass": 83.1, "gaze ranking=image_heads": 69.0, "gaze ranking=localization": 60.2,
        },
    ),
    PaperExperiment(
        "overlap", "Overlap of rankings", "table 6", work="overlap",
        published={"mass and image_heads": 43.0, "mass and localization": 26.0},
    ),
    PaperExperiment("layers", "Layers of gaze heads", "figures 15 and 16", work="layers"),
)  # fmt: skip
"""In the order in which they are shown."""
