"""Makes .venv, installs what is missing, and runs: `python run.py` the server, `python run.py test` every check.

Needs nothing but Python 3.11 or newer. Other arguments and KOKORO_* variables go to the server.
"""

import hashlib
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CHECKS = (
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    ["pytest", "--apart", "none", "--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"],
    ["pytest", "--apart", "only"],
)


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036, who runs an older one should be told
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    if arguments[:1] == ["test"]:
        install("requirements.txt", "requirements-dev.txt")
        return test(arguments[1:])
    install("requirements.txt")
    return run(PYTHON, ROOT / "kokoro_tts_api.py", *arguments)


def install(*names: str) -> None:
    """Install requirement files whose content is not what was installed last; a new interpreter begins anew."""
    for name in names:
        wanted = hashlib.sha256((ROOT / name).read_bytes() + sys.version.encode()).hexdigest()
        done = VENV / f"installed-{name}"
        if PYTHON.exists() and done.exists() and done.read_text() == wanted:
            continue
        if not has_pip():
            print("Making .venv ...", flush=True)
            venv.create(VENV, with_pip=True)
        print(f"Installing {name}: this takes a few minutes, once ...", flush=True)
        pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", ROOT / name]
        newer = ["--ignore-requires-python"] if sys.version_info >= (3, 13) else []  # misaki's cap; it runs there
        if run(*pip, *newer):
            sys.exit(f"{name} could not be installed; what pip said stands above.")
        done.write_text(wanted)


def has_pip() -> bool:
    """Whether .venv is whole: pip comes last, and one that was interrupted has none."""
    return PYTHON.exists() and not subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL).returncode


def test(arguments: list[str]) -> int:
    """Every check, all of them even when one fails; arguments go to pytest."""
    codes = [run(PYTHON, "-m", *check, *(arguments if check[0] == "pytest" else [])) for check in CHECKS]
    return max(map(abs, codes))


def run(*command: object) -> int:
    """The exit code of a child that gets our terminal, and the signals that we get."""
    child = subprocess.Popen([str(word) for word in command], cwd=ROOT)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())  # comes to us alone where a service sends it
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the terminal told the child too; it ends when it is done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
