"""`thalweg serve`: runs behind HTTP."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from thalweg.errors import ArgumentError, NotFoundError
from thalweg.runs.large.memory import bytes_of
from thalweg.support.checks import number, whole

TOKEN = "THALWEG_TOKEN"


def serve(
    run: Annotated[list[str], Argument(metavar="RUN", help="run folders; NAME=RUN serves one under another name")],
    *,
    host: Annotated[str, Option(help="the address to listen at; 0.0.0.0 is every one of this machine")] = "127.0.0.1",
    port: Annotated[int, Option(help="0 is a free one")] = 8000,
    token_file: Annotated[
        Path | None, Option(help=f"a file with a token, which requests then have to carry; or put it into {TOKEN}")
    ] = None,
    batch_rows: Annotated[int, Option(help="the most rows of different requests that are predicted together")] = 256,
    wait: Annotated[float, Option(help="milliseconds that a batch waits for further rows")] = 0.0,
    queue: Annotated[int, Option(help="the most rows that may wait for a model; further ones are refused")] = 10_000,
    max_rows: Annotated[int, Option(help="the most rows of a request")] = 1_000_000,
    max_size: Annotated[str, Option(help="the largest body of a request")] = "64MB",
    lanes: Annotated[int | None, Option(help="the cores of one prediction; by default as many as pay")] = None,
) -> None:
    """Answers requests over HTTP with the predictions of runs: JSON, CSV, Arrow, and the Open Inference Protocol."""
    from thalweg.serve import serving
    from thalweg.serve.served import Limits
    from thalweg.serve.service import Service, named_runs

    serving.check_installed()
    size = size_in(max_size)
    limits = Limits(
        batch_rows=whole("--batch-rows", batch_rows),
        wait=number("--wait", wait, 0) / 1000,
        waiting_rows=whole("--queue", queue),
        rows=whole("--max-rows", max_rows),
        request_bytes=size,
        waiting_bytes=4 * size,
        lanes=None if lanes is None else whole("--lanes", lanes),
    )
    folders, token = named_runs(run), token_in(token_file)
    at = serving.listening(host, port)
    local = serving.is_local(host)

    def make(executor: Executor) -> Service:
        return Service(folders, limits, executor, token, local)

    def started(service: Service) -> None:
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{at.getsockname()[1]}")
        for name, served in service.models.items():
            print(f"  /v1/models/{name}/predict  /v2/models/{name}/infer: {served.folder}")
        if token is None and not local:
            print("note: anybody who reaches this address may ask: give a token, and let a proxy encrypt")
        print("Ctrl-C ends the server when all requests are answered", flush=True)

    serving.serve(make, at, started)


def size_in(text: str) -> int:
    """The bytes of --max-size."""
    try:
        return whole("--max-size", bytes_of(text))
    except ArgumentError:
        raise ArgumentError(f"--max-size is a number of bytes such as 64MB, got {text!r}") from None


def token_in(file: Path | None) -> str | None:
    """The token of a file, or of the environment; None without either."""
    if file is None:
        found = os.environ.get(TOKEN)
        where = TOKEN
    else:
        try:
            found, where = file.read_text("utf-8"), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise NotFoundError(f"the token can't be read from {file}: {error}") from None
    if found is None:
        return None
    token = found.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ArgumentError(f"{where} holds no token: it is one line of ASCII without spaces")
    return token
