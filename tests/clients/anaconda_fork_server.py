"""Runs commands of anaconda-client, each in a fork of one process that has it imported: to import it takes seconds.

Reads one JSON object per line (``argv``, ``folder``, ``env``, ``input``) and writes one (``code``, ``output``). Runs under any
interpreter that has anaconda-client; the code that is run is the client's own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from typing import Any


def run(entry_points: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(task["input"].encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for number, file in enumerate((given, output, output)):
                    os.dup2(file.fileno(), number)
                os.chdir(task["folder"])
                os.environ.update(task["env"])
                sys.argv = task["argv"]
                code = int(entry_points[sys.argv[0]]() or 0)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code & 255)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "output": output.read().decode(errors="replace")}


def serve() -> None:
    from binstar_client.scripts.cli import main

    entry_points: dict[str, Any] = {"binstar": main}
    try:
        from anaconda_cli_base.cli import app

        entry_points["anaconda"] = app
    except ImportError:  # releases before 1.14
        entry_points["anaconda"] = main
    for line in sys.stdin:
        print(json.dumps(run(entry_points, json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
