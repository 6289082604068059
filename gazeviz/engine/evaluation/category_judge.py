"""The judge of photos whose regions have categories: COCO's 80 with everyday words for them, or any other.

A region counts as described where the text names its category; a text may name several. The words are
gazeviz's own list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from gazeviz.domain.evaluation import Verdict
from gazeviz.engine.evaluation.judges import Judged
from gazeviz.errors import UserError

COCO_WORDS: Final[Mapping[str, str]] = {
    "person": "people man men woman women boy girl child children kid baby guy lady human player skier surfer"
    " skateboarder snowboarder rider cyclist pedestrian batter pitcher catcher chef baseball_player",
    "bicycle": "bike cycle",
    "car": "automobile sedan taxi cab suv",
    "motorcycle": "motorbike scooter moped",
    "airplane": "plane aeroplane jet aircraft airliner",
    "bus": "coach double_decker",
    "train": "locomotive railcar tram",
    "truck": "lorry pickup van",
    "boat": "ship sailboat ferry canoe kayak yacht",
    "traffic light": "stoplight traffic_signal stop_light",
    "fire hydrant": "hydrant",
    "stop sign": "",
    "parking meter": "meter",
    "bench": "",
    "bird": "seagull gull duck goose pigeon parrot owl eagle swan chicken",
    "cat": "kitten kitty",
    "dog": "puppy pup",
    "horse": "pony foal",
    "sheep": "lamb ewe ram",
    "cow": "cattle bull calf ox",
    "elephant": "",
    "bear": "polar_bear grizzly cub",
    "zebra": "",
    "giraffe": "",
    "backpack": "rucksack knapsack",
    "umbrella": "parasol",
    "handbag": "purse bag",
    "tie": "necktie bow_tie",
    "suitcase": "luggage trunk",
    "frisbee": "disc disk",
    "skis": "ski",
    "snowboard": "",
    "sports ball": "ball soccer_ball football basketball baseball tennis_ball volleyball",
    "kite": "",
    "baseball bat": "bat",
    "baseball glove": "glove mitt",
    "skateboard": "",
    "surfboard": "",
    "tennis racket": "racket racquet tennis_racquet",
    "bottle": "flask",
    "wine glass": "glass goblet",
    "cup": "mug teacup",
    "fork": "",
    "knife": "knives blade",
    "spoon": "ladle",
    "bowl": "dish",
    "banana": "",
    "apple": "",
    "sandwich": "burger hamburger sub",
    "orange": "tangerine mandarin",
    "broccoli": "",
    "carrot": "",
    "hot dog": "hotdog sausage",
    "pizza": "",
    "donut": "doughnut",
    "cake": "cupcake",
    "chair": "stool armchair seat",
    "couch": "sofa settee loveseat",
    "potted plant": "plant houseplant flowerpot",
    "bed": "mattress",
    "dining table": "table desk",
    "toilet": "",
    "tv": "television monitor screen",
    "laptop": "computer notebook",
    "mouse": "computer_mouse",
    "remote": "remote_control controller",
    "keyboard": "",
    "cell phone": "phone cellphone smartphone mobile telephone",
    "microwave": "",
    "oven": "stove range",
    "toaster": "",
    "sink": "washbasin basin",
    "refrigerator": "fridge freezer",
    "book": "novel magazine",
    "clock": "watch",
    "vase": "jar",
    "scissors": "scissor shears",
    "teddy bear": "teddy stuffed_animal stuffed_bear",
    "hair drier": "hair_dryer hairdryer blow_dryer",
    "toothbrush": "",
}
"""COCO's category names, each with everyday words for it, underscores for spaces."""


@dataclass(frozen=True)
class CategoryJudge:
    """Says which regions' categories a text names, in singular or plural, by COCO's name or an everyday one.

    The score is 1 for a region whose category is named; chosen is that of the category named first.
    """

    name: str = "category"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Look for every region's category; UserError where the regions have none."""
        categories: tuple[str, ...] = getattr(item, "categories", ())
        if len(categories) != len(item.panels):
            raise UserError(
                "The category judge needs a category for every region, and this picture has none.",
                next_step="Use a COCO set or a folder with labels, or choose another judge.",
            )
        places = [_place_in(text.lower(), category) for category in categories]
        named = [region for region, place in enumerate(places) if place is not None]
        first = min(named, key=lambda region: places[region] or 0, default=None)
        scores = tuple(float(place is not None) for place in places)
        return Verdict(scores, first, alike=tuple(named))


def _place_in(text: str, category: str) -> int | None:
    """Where a text names a category first; a longer name that merely holds it ("hot dog") does not count."""
    for longer in _longer_names(category):
        text = re.sub(rf"\b{re.escape(longer)}\b", lambda found: " " * len(found[0]), text)
    found = _pattern(category).search(text)
    return found.start() if found else None


@cache
def _longer_names(category: str) -> tuple[str, ...]:
    """Names of other categories that contain a word of this one: "hot dog" for dog, "teddy bear" for bear."""
    words = set(_words(category))
    others = (name for other in COCO_WORDS if other != category for name in _words(other))
    return tuple(
        name
        for other in others
        if " " in other and words & set(other.split())
        for name in (other, other + "s")
    )


@cache
def _words(category: str) -> tuple[str, ...]:
    told = COCO_WORDS.get(category.lower(), "").split()
    return (category.lower(), *(word.replace("_", " ") for word in told))


@cache
def _pattern(category: str) -> re.Pattern[str]:
    forms = {form for word in _words(category) for form in (word, *_plurals(word))}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def _plurals(word: str) -> tuple[str, ...]:
    if word.endswith(("s", "x", "ch", "sh")):
        return (word + "es",)
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return (word[:-1] + "ies",)
    return (word + "s",)
