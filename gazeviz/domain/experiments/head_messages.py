"""What is asked of the worker about heads over a set of pictures, and what it answers.

Part of the messages between app and worker (gazeviz.domain.messages).
"""

from __future__ import annotations

from dataclasses import dataclass

from gazeviz.domain.experiments.head_examples import HeadExamples
from gazeviz.domain.experiments.head_metrics import HeadMetrics
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.steering import HeadMeans


@dataclass(frozen=True)
class MeasureHeads:
    """Measure all heads over a set of pictures, and the effects of some; answered by HeadsMeasured.

    pictures: a set as it is written, "builtin:24@7"; files are those of the worker's machine.
    effects_of: the head sets that are knocked out and steered.
    """

    job: int
    pictures: str
    prompt: str
    effects_of: tuple[HeadSet, ...] = ()


@dataclass(frozen=True)
class CollectExamples:
    """Describe a set of pictures and collect one head's examples; answered by ExamplesCollected."""

    job: int
    head: Head
    pictures: str
    prompt: str


@dataclass(frozen=True)
class MeasureMeans:
    """Measure what heads put out on average over a set of pictures; answered by MeansMeasured."""

    job: int
    heads: HeadSet
    pictures: str
    prompt: str


@dataclass(frozen=True)
class HeadsMeasured:
    """MeasureHeads' answer."""

    job: int
    metrics: HeadMetrics


@dataclass(frozen=True)
class ExamplesCollected:
    """CollectExamples' answer."""

    job: int
    examples: HeadExamples


@dataclass(frozen=True)
class MeansMeasured:
    """MeasureMeans' answer."""

    job: int
    means: HeadMeans
