"""Set up the libraries that train: what they read when they are imported, and what they write to the terminal."""

import logging
import os
import warnings


def prepare_libraries(*, is_offline: bool = True) -> None:
    """Set what the libraries read when they are imported, then quieten them. Call it before importing them."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if is_offline:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    quieten_libraries()


def quieten_libraries() -> None:
    """Leave the terminal to the progress bar: libraries report nothing but errors."""
    import datasets
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for name in ("trl", "accelerate", "torch.distributed", "torch._inductor", "torch._dynamo"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|trl|transformers|accelerate|peft)\.")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|trl|transformers|accelerate|peft)\.")
