"""Loads ``functions/<verb>/app.py`` as a module of its own: five files of one name cannot be imported by it.

They import the package ``sluice``: installed, or with layers/common/python on the path.
"""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

FUNCTIONS = Path(__file__).parents[1] / "functions"


@cache
def load_app(verb: str) -> Any:
    """The module of a function, imported once; it finds the files beside it, as on Lambda, and nobody else does."""
    folder = FUNCTIONS / verb
    name = f"functions_{verb}_app"
    spec = importlib.util.spec_from_file_location(name, folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    for file in folder.glob("*.py"):
        sibling = sys.modules.get(file.stem)
        if sibling is not None and sibling.__file__ == str(file):
            sys.modules[f"functions_{verb}_{file.stem}"] = sys.modules.pop(file.stem)
    return module
