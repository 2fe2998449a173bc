"""Run the supervisor over small processes of the test's own: supervised.py DATA_DIR ROLE...

Each ROLE is NAME=BEHAVIOR. Used by test_supervisor.py, in a process of its own because the
supervisor owns its process's signals.
"""

from __future__ import annotations

import sys
from pathlib import Path

from labsite.processes import Role
from labsite.supervisor import Supervisor

BEHAVIORS = {
    "good": "report(); signal.pause()",
    "crashes": "print('no such table: cells', flush=True); sys.exit(3)",
    "never ready": "signal.pause()",
    # Ignores the request to stop, and has a child of its own.
    "stubborn": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "print('grandchild', child.pid, flush=True); report(); signal.pause()"
    ),
}
PREFACE = (
    "import os, signal, subprocess, sys\n"
    "def report(): os.write(int(os.environ['READY_FD']), b'ready'); print('up', flush=True)\n"
)


def role(text: str) -> Role:
    """Turn NAME=BEHAVIOR into a role."""
    name, _, behavior = text.partition("=")
    return Role(name, f"{name} process", (sys.executable, "-c", PREFACE + BEHAVIORS[behavior]))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    roles = [role(text) for text in sys.argv[2:]]
    Supervisor(roles, folder, cwd=folder, greeting="hello", grace=1).run()
