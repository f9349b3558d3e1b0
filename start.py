"""Set Changtong up and run it, with nothing but Python 3.11 or newer.

``python3 start.py demo`` runs the main job on the built-in national network.
``python3 start.py test`` builds the wheel, installs it and passes the tests.
Anything else is handed to the ``changtong`` command.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = HERE / "requirements.lock"
BROWSER_LOCK = HERE / "browser_files" / "package-lock.json"
STAMP = VENV / ".changtong-setup"


def say(text):
    print(f"[start] {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def uv(*arguments):
    run(PYTHON, "-m", "uv", *arguments, cwd=HERE)


def digest():
    files = (LOCK, HERE / "pyproject.toml", HERE / "hatch_build.py", BROWSER_LOCK)
    content = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def set_up():
    """Make .venv and install the locked requirements, once for each lock file."""
    if STAMP.exists() and STAMP.read_text() == digest():
        return
    say("setting up .venv (once; about a minute) …")
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", VENV)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    uv("pip", "install", "--quiet", "--python", PYTHON, "--require-hashes", "-r", LOCK)
    uv("pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "-e", HERE)
    STAMP.write_text(digest())
    say("set up.")


def of_tests(arguments):
    """Name tests so that they are found from another folder; all of them where none is named."""
    made = [named(one) for one in arguments]
    return made if made != arguments else [str(HERE / "tests"), *made]


def named(argument):
    """Return the whole path of a test, relative to here or to this file; anything else as it is."""
    path, colons, rest = argument.partition("::")
    for base in (Path.cwd(), HERE):
        found = (base / path).resolve()
        if path and found.exists() and found.is_relative_to(HERE / "tests"):
            return f"{found}{colons}{rest}"
    return argument


def test(arguments):
    """Build the wheel, install it into .venv, run the tests against it, then go back to the source."""
    with tempfile.TemporaryDirectory() as folder:
        uv("build", "--quiet", "--wheel", "--out-dir", folder)
        wheel = next(Path(folder).glob("*.whl"))
        say(f"testing {wheel.name} …")
        uv(
            "pip",
            "install",
            "--quiet",
            "--python",
            PYTHON,
            "--no-deps",
            "--reinstall-package",
            "changtong",
            wheel,
        )
        try:
            say("compiling kernels (once for these sources; a minute or two) …")
            subprocess.run([str(PYTHON), "-m", "changtong.kernels"], cwd=folder, check=True)
            # from another folder, so that the wheel and not the source tree is imported
            command = [
                str(PYTHON),
                "-m",
                "pytest",
                "-c",
                str(HERE / "pyproject.toml"),
                "--rootdir",
                str(HERE),
                # one more than there are cores: much of the time tests wait for processes of their own
                *("-n", str(min(4, (os.cpu_count() or 1) + 1)), "--dist", "loadfile"),
            ]
            return subprocess.run([*command, *of_tests(arguments)], cwd=folder).returncode
        finally:
            uv("pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "-e", HERE)


def main():
    if sys.version_info < (3, 11):
        sys.exit(f"Changtong needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    arguments = sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    try:
        set_up()
        if arguments[0] == "test":
            return test(arguments[1:])
        return subprocess.run([str(PYTHON), "-m", "changtong", *arguments]).returncode
    except subprocess.CalledProcessError as error:
        say(f"this step failed: {' '.join(error.cmd)}")
        if not STAMP.exists() and VENV.exists() and not shutil.which("pip"):
            say("is the Python venv module installed (Debian: python3-venv)?")
        return error.returncode or 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
