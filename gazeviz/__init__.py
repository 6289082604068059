"""gazeviz: find, see and steer the attention heads that look at what a vision-language model describes.

The notebook's face. Names are imported when they are first used, so that `import gazeviz` costs nothing and
loads no torch:

    import gazeviz
    engine = gazeviz.load()                          # the built-in model; or a folder of Hugging Face files
    strips = gazeviz.builtin_strips(50, seed=7)
    heads = engine.discover(strips, by="tracking").top(12)
    steering = gazeviz.Steering(heads, target=strips[0].panels[3])
    print(engine.generate(strips[0].image, "What is happening here?", steering=steering).text)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOMES = {
    "Cancelled": "gazeviz.errors",
    "GazevizError": "gazeviz.errors",
    "RunError": "gazeviz.errors",
    "UserError": "gazeviz.errors",
    "Head": "gazeviz.domain.heads",
    "HeadMetrics": "gazeviz.domain.experiments.head_metrics",
    "HeadRanking": "gazeviz.domain.heads",
    "HeadSet": "gazeviz.domain.heads",
    "Layout": "gazeviz.domain.strip",
    "Region": "gazeviz.domain.region",
    "Run": "gazeviz.domain.run",
    "Sampling": "gazeviz.domain.run",
    "Schedule": "gazeviz.domain.steering",
    "HeadMeans": "gazeviz.domain.steering",
    "Steering": "gazeviz.domain.steering",
    "Strip": "gazeviz.domain.strip",
    "TokenGrid": "gazeviz.domain.grid",
    "Trajectory": "gazeviz.domain.run",
    "Engine": "gazeviz.engine.engine",
    "Evaluated": "gazeviz.evaluating",
    "PictureSet": "gazeviz.domain.experiments.picture_set",
    "evaluate": "gazeviz.evaluating",
    "builtin_scenes": "gazeviz.testbed.world.world",
    "builtin_strips": "gazeviz.testbed.world.world",
    "load": "gazeviz.engine.engine",
    "logged_picture": "gazeviz.app.report.sources",
    "open_picture": "gazeviz.imaging",
    "panel_regions": "gazeviz.domain.strip",
    "run_map": "gazeviz.engine.generation.read_along",
}
"""Where each public name lives."""

__all__ = [
    "Cancelled",
    "Engine",
    "Evaluated",
    "GazevizError",
    "Head",
    "HeadMeans",
    "HeadMetrics",
    "HeadRanking",
    "HeadSet",
    "Layout",
    "PictureSet",
    "Region",
    "Run",
    "RunError",
    "Sampling",
    "Schedule",
    "Steering",
    "Strip",
    "TokenGrid",
    "Trajectory",
    "UserError",
    "__version__",
    "builtin_scenes",
    "builtin_strips",
    "evaluate",
    "load",
    "logged_picture",
    "open_picture",
    "panel_regions",
    "run_map",
]

if TYPE_CHECKING:
    from gazeviz.app.report.sources import logged_picture
    from gazeviz.domain.experiments.head_metrics import HeadMetrics
    from gazeviz.domain.experiments.picture_set import PictureSet
    from gazeviz.domain.grid import TokenGrid
    from gazeviz.domain.heads import Head, HeadRanking, HeadSet
    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run, Sampling, Trajectory
    from gazeviz.domain.steering import HeadMeans, Schedule, Steering
    from gazeviz.domain.strip import Layout, Strip, panel_regions
    from gazeviz.engine.engine import Engine, load
    from gazeviz.engine.generation.read_along import run_map
    from gazeviz.errors import Cancelled, GazevizError, RunError, UserError
    from gazeviz.evaluating import Evaluated, evaluate
    from gazeviz.imaging import open_picture
    from gazeviz.testbed.world.world import builtin_scenes, builtin_strips


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use; AttributeError if there is no such name."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gazeviz' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
