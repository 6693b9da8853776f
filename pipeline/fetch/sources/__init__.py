"""The kinds of source: one file each, found by its name. A new kind is a new file with a `KIND` in it."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from pipeline.fetch.haul import Kind

KINDS: Mapping[str, Kind] = {
    module.name: import_module(f"{__name__}.{module.name}").KIND for module in iter_modules(__path__)
}
