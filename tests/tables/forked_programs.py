"""Programs in processes of their own, without importing again what all of them import.

One process has imported it, and each program runs in a fork of that: python forked_programs.py MODULE …
Where there is no fork, each is a new process.
"""

import contextlib
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path


def ended(code, said):
    """What a program has printed; an error, with what it said, if it has failed."""
    assert code == 0, said["stderr"]
    return said["stdout"]


@contextlib.contextmanager
def forking(modules, *options, **variables):
    """A function that runs a program, given its path, in the program's folder, and returns what it prints.

    `modules` must start no threads when they are imported; `options` are Python's, `variables` of the environment.
    """
    environment = os.environ | variables
    if not hasattr(os, "fork"):
        yield lambda path: alone(path, options, environment)
        return
    command = [sys.executable, "-P", *options, __file__, *modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:

        def run(path):
            print(json.dumps(str(path)), file=server.stdin, flush=True)
            answer = server.stdout.readline()
            assert answer, f"the process that has imported {', '.join(modules)} has ended"
            return ended(*json.loads(answer))

        yield run


def alone(path, options, environment):
    command = [sys.executable, *options, str(path)]
    done = subprocess.run(
        command, cwd=Path(path).parent, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    return ended(done.returncode, {"stdout": done.stdout, "stderr": done.stderr})


def forked(path):
    """(exit code, what is written to each stream) of a program."""
    with contextlib.ExitStack() as files:
        streams = [files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(2)]
        child = os.fork()
        if child == 0:
            for number, stream in enumerate(streams, 1):
                os.dup2(stream.fileno(), number)
            run_here(path)
        _, status = os.waitpid(child, 0)
        for stream in streams:
            stream.seek(0)
        said = dict(zip(("stdout", "stderr"), (stream.read() for stream in streams), strict=True))
        return os.waitstatus_to_exitcode(status), said


def run_here(path):
    """Runs the program as this process's own, which ends."""
    code = 1
    try:
        os.chdir(Path(path).parent)
        sys.argv = [path]
        runpy.run_path(path, run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve(modules):
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(forked(json.loads(line))), flush=True)
    os._exit(0)  # to take apart what was imported takes time


if __name__ == "__main__":
    serve(sys.argv[1:])
