"""What a test puts between a process and its C library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import not_run


def built(name: str, folder: Path, suite: str) -> Path:
    """The library of `<name>.c` of this folder, for LD_PRELOAD. Skips the suite where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        not_run(suite, "there is no C compiler")
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([str(compiler), "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True)
    return library
