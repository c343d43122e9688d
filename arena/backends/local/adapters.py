"""LoRA adapters on shared weights, by peft; the rows of one batch may each have their own (peft's adapter_names)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.checkpoints.adapter import CONFIG, WEIGHTS, Adapter, Shape, read_adapter, require_fit
from arena.checkpoints.weights import Unfit
from common.weights import hash_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Adapters:
    """Loads adapters onto a model. model: what generates, peft's wrapper from the first adapter on.

    is_broken: loading the first one failed half-way, and the model with it.
    """

    def __init__(self, model: "PreTrainedModel") -> None:
        self.model: Any = model
        self.are_there = False
        self.is_broken = False
        self._shapes = read_shapes(model)

    def load(self, folder: Path, name: str) -> dict[str, Any]:
        """Load an adapter under this name; return its part of a recipe.

        Raises:
            Unfit: it is none, or not one of this base.
        """
        import importlib.metadata

        from peft import PeftModel

        adapter = read_adapter(folder)
        require_fit(adapter, self._shapes)
        self._require_open_weights()
        options: dict[str, Any] = {"adapter_name": name, "is_trainable": False, "local_files_only": True}
        if self.are_there:
            self.model.load_adapter(folder, **options)
        else:
            self.is_broken = True  # peft puts layers of its own into the model before it reads the weights
            self.model = PeftModel.from_pretrained(self.model, folder, **options)
            self.are_there, self.is_broken = True, False
        try:
            self._require_applied(adapter, name)
        except Unfit:
            self.model.delete_adapter(name)
            raise
        self.model.eval()
        versions = {each: importlib.metadata.version(each) for each in ("transformers", "torch", "peft")}
        return {"adapter": hash_files([folder / CONFIG, folder / WEIGHTS]), "versions": versions}

    def _require_open_weights(self) -> None:
        """Require that weights stay what they are when peft puts an adapter beside them.

        bitsandbytes 0.50 packs weights in four bits anew at their first use on a CPU, and what peft then reads of them
        is something else: the base itself would write nonsense.
        """
        is_four_bits = getattr(self.model, "is_loaded_in_4bit", False)
        if is_four_bits and self.model.device.type == "cpu":
            raise Unfit("cannot stand beside weights in nf4 on a CPU: take quantization: int8, or none")

    def _require_applied(self, adapter: Adapter, name: str) -> None:
        """Require that each factor in its weights found its module: peft drops those that its config does not name."""
        base = self.model.get_base_model()
        applied = {module for module, layer in base.named_modules() if name in getattr(layer, "lora_A", ())}
        if stray := sorted(applied ^ adapter.shapes.keys()):
            raise Unfit(f"has weights and an {CONFIG} that name different modules ({stray[0]}): copy both again")


def read_shapes(model: "PreTrainedModel") -> dict[str, Shape]:
    """Return (out, in) of each linear layer, quantized or not, and of GPT-2's kind."""
    shapes: dict[str, Shape] = {}
    for name, layer in model.named_modules():
        if hasattr(layer, "out_features") and hasattr(layer, "in_features"):
            shapes[name] = (layer.out_features, layer.in_features)
        elif hasattr(layer, "nf") and hasattr(layer, "nx"):
            shapes[name] = (layer.nf, layer.nx)
    return shapes
