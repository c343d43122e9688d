"""How much memory a checkpoint's weights will need, from the shapes in its files alone."""

from math import prod
from pathlib import Path

from arena.checkpoints.weights import find_weights, read_header, read_json

FULL, HALF = 4, 2  # bytes for a number
QUANTIZED = {"int8": 1.1, "nf4": 0.6}  # with what stays in more bits, such as embeddings
SMALL = 32_000_000  # parameters; below, "auto" is float32
MOST = 10**15  # parameters; a damaged header may hold any number
MORE = 1.2  # for what replies need beside the weights


def estimate_size(path: Path, *, dtype: str = "auto", quantization: str | None = None) -> int:
    """Return the bytes that the weights of a folder or a GGUF file need once they are loaded, about.

    "auto" counts as half precision above SMALL parameters. A file that cannot be read needs none: loading it reports
    why.
    """
    parameters = count_parameters(path)
    if quantization is not None:
        each = QUANTIZED[quantization]
    elif dtype == "float32" or (dtype == "auto" and parameters < SMALL):
        each = FULL
    else:
        each = HALF
    return round(parameters * each * MORE)


def count_parameters(path: Path) -> int:
    """Return the numbers in the weights of a folder or a GGUF file, 0 where that cannot be read."""
    try:
        if path.is_file():
            from gguf import GGUFReader

            return sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
        files = find_weights(path, read_json(path / "config.json"))
        return min(sum(prod(shape) for file in files for shape in read_header(file).values()), MOST)
    except Exception:  # a damaged file may raise anything
        return 0
