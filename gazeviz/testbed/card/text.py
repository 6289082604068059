"""Words a model card: Markdown from the figures that were measured. Knows the figures' names and nothing
else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from gazeviz.testbed.card.curves import CURVES_FILE
from gazeviz.testbed.card.tables import (
    MEASURES,
    MOVING,
    REGION,
    Figures,
    between,
    confusion,
    in_region,
    measured,
    moved,
    number,
    percent,
    percents,
    spread,
    table,
    with_interval,
)
from gazeviz.testbed.world.grammar import COLOURS

_RULES: Final = """\
How answers are judged, everywhere on this page:

- The world's grammar is known, so the judge is exact: it counts which of a panel's four attributes (colour,
  character, action, setting) a text states.
- **Forced choice**: the panel with most attributes stated is the one described; a tie, or none stated, is a
  miss. So is junk (empty, looping, a label and nothing more). So is a text that is essentially the unsteered
  one (same words, or word Jaccard above 0.85), *even where the unsteered text happened to describe the
  target*: steering that changes nothing never counts. Doing nothing therefore scores 0 %, and perfect
  steering 100 % less one panel of every strip whose unsteered text says exactly that panel.
- **Described**: the same without that last rule; perfect steering scores 100 %, a fixed text 16.7 %.
- **All right**: a forced-choice hit that states all four attributes of the target and no other of the world.
- **Said exactly**: all four and no other, unchanged texts included (for unsteered answers).
- Brackets: 95 % bootstrap interval, 10 000 resamples of whole strips.
"""

_CHOSEN_AS: Final = {
    "few_by_choice": "at most a sixth of the heads, best forced choice",
    "few_by_right": "at most a sixth of the heads, most all right",
    "overall": "any number of heads, best forced choice + all right",
}


def card(figures: Figures) -> str:
    """The whole card."""
    sections = (
        _head(figures),
        _unsteered(figures["unsteered"]),
        _steered(figures["steered"]),
        _controls(figures["controls"]),
        _moving(figures["moving"]),
        _regions(figures["regions"]),
        _rankings(figures["rankings"]),
        _elsewhere(figures["elsewhere"]),
        _screening(figures["screening"]),
        _trained(figures["model"]["training"]),
        _limits(figures["model"]["versions"]),
    )
    return "\n".join(section.strip() + "\n" for section in sections if section)


def _head(figures: Figures) -> str:
    model, plan, steered = figures["model"], figures["plan"], figures["steered"]
    seeds, best = plan["seeds"], steered["measured"][steered["recommended"]]
    n_heads = model["layers"] * model["heads"]
    ceiling = 1 - figures["unsteered"]["habit"]["complete"] / 6
    warning = "" if plan["strips"] >= 100 else _FEW
    return f"""\
# {model["name"]}

A small vision-language model ({model["family"]} architecture, {model["layers"]} layers x {model["heads"]}
heads) that reads comic strips of one made-up world. It ships with gazeviz so that every head can be found,
seen and steered without a download and without a GPU. It knows nothing but that world.

In one line: pointed at a panel with {best["n"]} of its {n_heads} heads, it describes that panel in
{percent(best["described"])} of the answers; by the strict rule below, which counts no text that steering
left as it was, in {percent(best["hit"])}, where perfect steering would score {percent(ceiling)}.
{warning}
Measured on {model["date"]} with the weights `{model["fingerprint"][:16]}` on {plan["strips"]} fresh strips
(1x6, 192 px a panel, seed {seeds["final"]}), all of whose colour-character-action triples were kept from
training. Settings were chosen on {plan["screening_strips"]} other strips (seed {seeds["screening"]}), heads
were ranked on {plan["ranking_strips"]} more (seed {seeds["ranking"]}). To repeat it
({figures["minutes"]} minutes of one process on the machine that did it, half of that with two; every figure
is in `model-card.json`):

    {figures["command"]}

{_RULES}"""


_FEW: Final = """
> **A quick look, not a measurement**: with so few strips every figure can be off by tens of points.
"""


def _unsteered(figures: Figures) -> str:
    direct = [
        (layout, row["answers"], percent(row["complete"]), percents(row["complete_by_target"]))
        for layout, row in figures["direct"].items()
    ]
    told = [
        (layout, row["strips"], with_interval(row["right"], row["interval"]), percents(row["by_panel"]))
        for layout, row in figures["narration"].items()
    ]
    asked = [
        (name.replace("_", " or "), row["answers"], percent(row["right"]))
        for name, row in figures["asked"].items()
    ]
    scenes, habit = figures["scenes"], figures["habit"]
    return f"""\
## Unsteered: can it do its job?

Direct questions ("What is happening in the third panel from the left?"):

{table(("layout", "answers", "said exactly", "by panel position"), direct)}

{_misread(figures["misread"])}

Narration ("Describe each panel in order, one short sentence each."); a panel is right when exactly its four
attributes are told at its number:

{table(("layout", "strips", "panels right", "by panel position"), told)}

Free scenes of 2 to 5 objects ("List all the objects present in this image:", {scenes["scenes"]} scenes):
{percent(scenes["named"])} of the {scenes["objects"]} objects are named with colour and character, and
{number(scenes["extra_per_scene"])} objects a scene are named that are not there.

Questions for one attribute, such as "What colour is the rabbit?" or "Which panel shows a rabbit?", each with
a single answer; "character" is who does something, "caption" everything about one:

{table(("asked for", "answers", "right"), asked)}

Asked about "this panel" and left alone ({habit["strips"]} strips), it describes panels 1 to 6 in
{percents(habit["by_panel"])} of the answers, and no single one in {percent(habit["unclear"])};
{percent(habit["complete"])} of the answers say exactly some panel. That question has no right answer: which
panel it is about is what steering decides."""


def _misread(figures: Figures) -> str:
    """Which combinations the wrong answers to direct questions are about."""
    often = figures["triples"]
    if not often:
        return "No combination was answered wrongly in half of its panels or more."
    named = "; ".join(f"{triple} ({missed} of {asked})" for triple, missed, asked in often[:_NAMED])
    rest = f"; and {len(often) - _NAMED} more" if len(often) > _NAMED else ""
    share = f"{sum(missed for _, missed, _ in often)} of the {figures['missed']} wrong answers"
    return f"""\
{share} are about combinations that were answered wrongly in half of their
panels or more: {named}{rest}."""


_NAMED: Final = 8
"""How many combinations the card names: more would be a list and no longer a sentence."""


def _steered(figures: Figures) -> str:
    rows = [
        (
            _CHOSEN_AS[key] + (" **(recommended)**" if key == figures["recommended"] else ""),
            f"`{row['label']}`",
            row["answers"],
            *measured(row),
        )
        for key, row in figures["measured"].items()
    ]
    best, judges = figures["measured"][figures["recommended"]], figures["judges"]
    return f"""\
## Steered: pointed at every panel of every strip

"What is happening in this panel of the comic strip?", steered to each of the six panels in turn; chance is
16.7 %.
Settings are chosen by their figures on the screening strips. Recommended is, of those with at most a sixth of
the heads, the one with more forced choice and all right together there.

{table(("chosen as", "setting", "answers", *MEASURES), rows)}

The recommended setting by panel position (forced choice): {percents(best["hit_by_target"])}.

What the judge found described:

{confusion(best["confusion"])}

On {judges["answers"]} of these answers the exact judge agrees with two others by Cohen's kappa: the lexical
one (rare words shared with the captions) {number(judges["kappa_lexical"])}, the likelihood one (the model's
own log-probability of the text given each panel alone) {number(judges["kappa_likelihood"])}."""


def _controls(figures: Figures) -> str:
    return "## Controls\n\n" + "\n\n".join(_control(key, row) for key, row in figures.items())


def _control(key: str, row: Figures) -> str:
    here, zero = row["same_strips"], row["strength_0"]
    rows = [("**the setting itself**, on the draws' strips", here["answers"], *measured(here))]
    rows += [_drawn(kind, draws) for kind, draws in row["draws"].items()]
    rows += [(name, one["answers"], *measured(one)) for name, one in row["fixed"].items()]
    places = "; ".join(
        f"{kind.replace('_', '-')}, {number(one['hit'], 0)} by forced choice"
        f" and {number(one['right'], 0)} by all right"
        for kind, one in row["percentile"].items()
    )
    return f"""\
### For the {key} setting: `{row["label"]}`

{table(("treatment", "answers", *MEASURES), rows)}

Random draws: seeds from 0, on the first {row["draw_strips"]} of the final strips, pool: all heads but the
setting's own, which are left in the pool where too few others remain (see "own heads"). The setting's
percentile among the draws: {places}.
Strength 0 changed {zero["changed"]} of {zero["compared"]} answers in any token (it must be none). "another
region" points the heads at the next panel and still asks for the one meant."""


def _drawn(kind: str, draws: Sequence[Figures]) -> tuple[Any, ...]:
    title = {"random": "uniform random draws", "layer_matched": "layer-matched random draws"}[kind]
    own = [draw["own"] for draw in draws]
    name = f"{len(draws)} {title}, {min(own)} to {max(own)} own heads: mean (lowest to highest)"
    return name, sum(draw["answers"] for draw in draws), *spread(draws)


def _moving(figures: Figures) -> str:
    rows: list[Sequence[Any]] = []
    for key, row in figures["measured"].items():
        rows.append((key, f"`{row['label']}`", row["every_tok"], *moved(row)))
        rows += [("", "the same", every, *moved(one)) for every, one in row["other_every_tok"].items()]
        rows.append(("", *_moving_draws(row)))
    screened = [(f"`{row['label']}`", *moved(row)) for row in figures["screening"]]
    return f"""\
## A target that moves while the text is written

"Describe each panel in order, one short sentence each."; only decoded tokens are steered, and the target
moves on every so many tokens (about a sentence) along a random derangement of the panels. A segment is what
was written while one target held. rho is Spearman's, between schedule and described panels, mean over
strips; 0 for a strip of which fewer than three segments describe anything. Latency: tokens from a switch to
the first word that only the new target calls for; followed: switches with such a word before the next one.

{table(("chosen as", "setting", "tokens a target", *MOVING), rows)}

By ranking and number of heads, on the screening strips:

{table(("setting", *MOVING), screened)}"""


def _moving_draws(row: Figures) -> tuple[Any, ...]:
    draws = row["draws"]
    rhos = [draw["rho"] for draw in draws]
    name = f"{len(draws)} random draws, {row['draw_strips']} strips: mean (lowest to highest)"
    rho = f"{number(sum(rhos) / len(rhos))} ({number(min(rhos))} to {number(max(rhos))})"
    junk = between([draw["junk"] for draw in draws])
    return name, row["every_tok"], rho, between([draw["on_target"] for draw in draws]), "-", "-", junk


def _regions(figures: Figures) -> str:
    blocks = "\n\n".join(_region(key, row) for key, row in figures["measured"].items())
    chance = next(iter(figures["measured"].values()))["chance"]
    return f"""\
## A painted region on a free scene

"What is the main object in this part of the image? Answer in a few words.", steered to the box of each
object in turn. Named: the painted object's colour and character are said, and no other's, whether or not the
unsteered text was the same (a blind guess names it in {percent(chance)}). Sizes in fed pixels: large above
96 x 96, small up to 32 x 32.

{blocks}"""


def _region(key: str, row: Figures) -> str:
    rows: list[Sequence[Any]] = [
        ("**steered to the object**", *in_region(row)),
        ("unsteered", *in_region(row["unsteered"])),
    ]
    rows += [(name, *in_region(one)) for name, one in row["controls"].items()]
    answers, shares = sum(draw["answers"] for draw in row["draws"]), [draw["named"] for draw in row["draws"]]
    name = f"{len(shares)} uniform random draws: mean (lowest to highest)"
    rows.append((name, answers, between(shares), "-", "-", "-", "-"))
    thirds = "; ".join(
        f"{math.sqrt(one['from_px']):.0f}-{math.sqrt(one['to_px']):.0f} px {percent(one['named'])}"
        for one in row["area_thirds"]
    )
    return f"""\
### {key}: `{row["label"]}`

{table(("treatment", *REGION), rows)}

Thirds of the objects by size (side of a square of equal area, in fed pixels): {thirds}."""


def _rankings(figures: Figures) -> str:
    names, n = list(figures["overlap"]), figures["n"]
    rows = [
        (
            name,
            f"{figures['split_half'][name]} of {n}",
            number(figures["best_score"][name]),
            " ".join(map(str, figures["layers"][name])),
            " ".join(figures["top"][name]),
        )
        for name in names
    ]
    overlaps = [
        (a, *(f"{figures['overlap'][a][b]} ({number(figures['correlation'][a][b])})" for b in names))
        for a in names
    ]
    return f"""\
## The rankings

Measured on {figures["strips"]} strips; the halves are every other strip.

{table(("ranking", f"top {n} shared by the halves", "best score", "by layer", f"top {n}"), rows)}

Heads that the top {n} of two rankings share (Spearman's rank correlation over all heads):

{table(("", *names), overlaps)}"""


def _elsewhere(figures: Figures) -> str:
    parts = (("wording", "wordings"), ("panels of", "sizes"), ("layout", "layouts"))
    rows = [
        (f"{title}: {name}", row["answers"], *measured(row))
        for title, part in parts
        for name, row in figures[part].items()
    ]
    return "## The recommended setting elsewhere\n\n" + table(("what differs", "answers", *MEASURES), rows)


def _screening(rows: Sequence[Figures]) -> str:
    ordered = sorted(rows, key=lambda row: -(row["hit"] + row["right"]))
    shown = table(("setting", *MEASURES), [(f"`{row['label']}`", *measured(row)) for row in ordered])
    return f"""\
## All settings that were screened

On the screening strips, best forced choice + all right first.

<details><summary>{len(ordered)} settings</summary>

{shown}

</details>"""


def _trained(training: Figures) -> str:
    """How the weights came about, with the curves; nothing for a model without a record."""
    if not training.get("losses"):
        return ""
    source = training["settings"].get("source_sha256", "")
    begun = f"grown from the weights with SHA-256 `{source[:16]}`" if source else "begun from nothing"
    return f"""\
## How it was trained

{training["progress"]["step"]} steps, seed {training["settings"]["seed"]}, {begun}; every setting
and mixture is in `training.json`. Right answers are those of a quick check on 36 strips of held-out
combinations.

![Loss and right answers by step]({CURVES_FILE})"""


def _limits(versions: Figures) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""\
## Limits

One world, drawn by a program: nothing here says how a model of real pictures behaves. In training, "this
panel" was answered with a panel drawn at random (in earlier stages, in a share that `training.json` states,
with the one whose colour comes first of {", ".join(COLOURS)}): the choice is open by
design, and steering has little of a habit to overcome. All answers are greedy, in float32 on a CPU, with
{libraries}."""
