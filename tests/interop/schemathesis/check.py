"""Holds a running server to its own description, /api/openapi.json, with Schemathesis.

    python check.py BINARY

BINARY is racetrack. Prints one line an operation, and fails when one of them is answered other than it
is described, or was not tried at all.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).parent
OUT = HERE.parents[2] / "target" / "schemathesis"
DESCRIPTION = OUT / "openapi.json"
RUN_S_MAX = 300
STOP_S_MAX = 15
READY_S_MAX = 20
METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
# Polls and streams answer soon, and what is tried comes from one address.
LIMITS = ["--poll-wait-ms-max", "50", "--notice-interval-ms", "100", "--connections-per-address-max", "0",
          "--sessions-per-address-max", "0", "--opens-per-address-per-s-max", "0"]


def main():
    binary = sys.argv[1]
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    server = subprocess.Popen(
        [binary, "serve", "--addr", "127.0.0.1:0", *LIMITS],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "RUST_LOG": "warn"},
    )
    try:
        url = address(server)
        operations = described(url)
        status = run(url)
        alive = server.poll() is None
    finally:
        server.terminate()
        try:
            server.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    tried = results(OUT / "junit.xml")
    rows = [(name, tried.get(name, "was not tried")) for name in operations]
    rows.append(("every check of every phase", None if status == 0 else f"schemathesis ended with {status}"))
    rows.append(("the server is still there", None if alive else "it has ended"))
    print()
    for name, failure in rows:
        print(f"{'FAILED' if failure else 'ok    '}  {name}{failure and ': ' + failure or ''}")
    failed = sum(1 for _, failure in rows if failure)
    print(f"\n{len(rows) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def address(server):
    """Where the server listens, as it says when it is ready."""
    for line in server.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            return found.group().rstrip("/")
    sys.exit("the server has ended before it was ready")


def run(url):
    # From a file, because the operation that a description was taken from would not be tried.
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml",
        "run", DESCRIPTION, "--url", url, "--report", "junit", "--report-junit-path", OUT / "junit.xml",
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(command, cwd=OUT, env=environment, timeout=RUN_S_MAX).returncode
    except subprocess.TimeoutExpired:
        return f"nothing within {RUN_S_MAX} s"


def described(url):
    """Every operation of the description, which is kept for later."""
    with urlopen(f"{url}/api/openapi.json", timeout=READY_S_MAX) as answer:
        DESCRIPTION.write_bytes(answer.read())
    paths = json.loads(DESCRIPTION.read_text())["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in METHODS]


def results(report):
    """What was wrong with each operation that was tried."""
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else []
    found = {}
    for case in cases:
        wrong = [one.get("type") or one.tag for one in case if one.tag in ("failure", "error", "skipped")]
        found[case.get("name")] = ", ".join(wrong) or None
    return found


if __name__ == "__main__":
    main()
