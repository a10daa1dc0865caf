"""Models, under Keras's module name: `thalweg.models.Sequential`, `thalweg.models.load_model`."""

from typing import TYPE_CHECKING

from thalweg.support.lazily import lazily

if TYPE_CHECKING:
    from thalweg.exchange.sklearn_networks import from_sklearn
    from thalweg.exchange.torch_states import load_torch_state
    from thalweg.models.cloning import clone_model, model_from_json
    from thalweg.models.functional import Functional
    from thalweg.models.loading import load_model, save_model
    from thalweg.models.model import Model
    from thalweg.models.sequential import Sequential

__all__ = [
    "Functional", "Model", "Sequential", "clone_model", "from_sklearn", "load_model", "load_torch_state",
    "model_from_json", "save_model",
]  # fmt: skip

# Not imported here: a thread that imports a part of this package would wait for one that imports the package, and that
# one for the part.
lazily(
    __name__,
    {name: f"thalweg.models.{name.lower()}" for name in ("Functional", "Model", "Sequential")}
    | dict.fromkeys(("clone_model", "model_from_json"), "thalweg.models.cloning")
    | dict.fromkeys(("load_model", "save_model"), "thalweg.models.loading")
    | {"from_sklearn": "thalweg.exchange.sklearn_networks", "load_torch_state": "thalweg.exchange.torch_states"},
)
