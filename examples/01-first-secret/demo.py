"""The main job from end to end, without a cluster: what `make demo` runs.

Every line that begins with `$` is a command that you could type; it is run as it stands. All of it
happens in a temporary directory, which is removed at the end (KEEP=1 keeps it).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
CONTROLLER = "python -m controller --source repo --target out --keyring keyring --once"
WIDTH = 90
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class Demo:
    """Runs commands in one directory and shows them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        scripts = str(Path(sys.executable).parent)
        foreign = ("GIT_", "SEALER_")  # settings of whoever runs this, hooks among them
        own = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environment = own | {
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Demo",
            "GIT_AUTHOR_EMAIL": "demo@example.invalid",
            "GIT_COMMITTER_NAME": "Demo",
            "GIT_COMMITTER_EMAIL": "demo@example.invalid",
        }

    def step(self, title: str, *commands: str) -> None:
        """Show a title, then run commands and show what they say."""
        print(f"\n{paint('1;36', title)}")
        for command in commands:
            print(f"{paint('32', '$')} {paint('1', command)}", flush=True)
            done = subprocess.run(
                ["sh", "-c", f"exec 2>&1; {command}"],
                cwd=self.directory,
                env=self.environment,
                check=False,
            )
            if done.returncode:
                sys.exit(f"the command above failed with exit code {done.returncode}")

    def show(self, *names: str) -> None:
        """Show files, with long lines cut."""
        for name in names:
            print(f"{paint('32', '$')} {paint('1', f'cut -c1-{WIDTH} {shlex.quote(name)}')}")
            for line in (self.directory / name).read_text(encoding="utf-8").splitlines():
                print(f"  {line[:WIDTH]}{'…' if len(line) > WIDTH else ''}".rstrip())


def paint(style: str, text: str) -> str:
    """Text in an ANSI style, where colours are wanted."""
    return f"\033[{style}m{text}\033[0m" if COLOUR else text


def seal_and_open(demo: Demo) -> None:
    """The first half: from a manifest through Git to what comes out."""
    shutil.copytree(HERE / "plaintext", demo.directory / "plaintext")
    demo.step(
        "1. Make a key. Its public half may go anywhere, so into the repository.",
        "sealer keys init --keyring keyring",
        "git init --quiet repo",
        "sealer keys fetch --keyring keyring -w repo/shop.pem",
    )
    demo.step(
        "2. Seal two manifests to it: a Secret, and a SharedSecret with its Secret.",
        "sealer seal --sealing-key repo/shop.pem plaintext/db.yaml -w repo/db.yaml",
        "sealer seal --sealing-key repo/shop.pem plaintext/team.yaml -w repo/team.yaml",
    )
    demo.show("repo/db.yaml")
    demo.step(
        "3. Commit them. Git never sees a value.",
        "git -C repo add . && git -C repo commit --quiet -m 'shop: database and newsletter'",
        "! git -C repo grep --quiet not-a-real",
    )
    demo.step("4. On the other side, the controller opens what is committed.", CONTROLLER)


def change_and_renew(demo: Demo) -> None:
    """The second half: a value, and then the key, is another one."""
    demo.step(
        "5. Change one value. That takes the public key only, and the other lines stay.",
        "printf not-a-real-password-2"
        " | sealer set --sealing-key repo/shop.pem repo/db.yaml --from-file password=-",
        "git -C repo diff --stat",
        "git -C repo commit --quiet -am 'shop: rotate the database password'",
        CONTROLLER,
    )
    demo.step(
        "6. Renew the key, and reseal: the same ciphertexts, readable with the new key.",
        "sealer keys renew --keyring keyring",
        "sealer reseal --keyring keyring repo",
        "sealer keys fetch --keyring keyring -w repo/shop.pem --force",
        "git -C repo diff --stat",
        "git -C repo commit --quiet -am 'Reseal to the newest key'",
        f"{CONTROLLER}  # the values are what they were: nothing is written",
        "sealer keys list --keyring keyring",
    )
    demo.step("7. What came out, readable by its owner only.", "ls -l out/shop/*")
    demo.show("out/shop/secrets/db.yaml", "out/shop/sharedsecrets/newsletter.yaml")
    demo.step("8. How it got there.", "git -C repo log --oneline")


def main() -> None:
    """Run the demo in a temporary directory."""
    directory = Path(tempfile.mkdtemp(prefix="sealer-demo-"))
    try:
        demo = Demo(directory)
        seal_and_open(demo)
        change_and_renew(demo)
    finally:
        if os.environ.get("KEEP"):
            print(f"\nkept in {directory}")
        else:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
