"""The command `triptych`: find the verb, parse its options, run it, return the exit code."""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

from triptych.cli.verbs import VERBS, VerbEntry
from triptych.errors import FileNote, UserError
from triptych.runs import console
from triptych.runs.waiting_threads import wait_briefly

_OF_THE_MACHINE = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "free some space and run it again",
    errno.EFBIG: "raise the limit on the size of files and run it again",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "choose a place that you may use",
    errno.EPERM: "choose a place that you may use",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit on open files and run it again",
    errno.EIO: "the disk or its connection fails",
    errno.ESTALE: "the disk or its connection fails",
}
"""What to do about an error of the system that is no fault of ours, wherever it comes from."""

EXIT_OK, EXIT_FAILED, EXIT_USER_ERROR, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after `triptych`; the process's own by default.

    Returns:
        0 on success, 2 for a user error, 130 after Ctrl-C, 1 for any other failure.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    wait_briefly()
    console.escape_what_cannot_be_encoded()
    try:
        with console.noted_warnings(FileNote):
            return _run(words)
    except UserError as error:
        console.fail(str(error))
        return EXIT_USER_ERROR
    except KeyboardInterrupt as interrupt:
        console.fail(str(interrupt) or "stopped; no incomplete file was left behind")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _close_stdout_quietly()
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            return _report_internal_error()
        at = f": {error.filename}" if error.filename else ""
        console.fail(f"{error.strerror}{at}; {_OF_THE_MACHINE[error.errno]}")
        return EXIT_USER_ERROR
    except Exception:
        return _report_internal_error()


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        console.result(overview())
        return EXIT_OK
    if words[0] == "--version":
        import triptych

        console.result(f"triptych {triptych.__version__}")
        return EXIT_OK
    verb, *options = words
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"verbs are {', '.join(VERBS)}"
        raise UserError(f"unknown verb '{verb}'; {hint}; see triptych --help")
    try:
        command = parse(verb, VERBS[verb], options)
    except SystemExit as leaving:  # tyro exits after it has shown a help page
        return EXIT_OK if leaving.code is None else int(leaving.code)
    command.run()
    sys.stdout.flush()
    return EXIT_OK


def overview() -> str:
    """Return the help page of the whole command, without importing any verb."""
    width = max(map(len, VERBS))
    lines = [f"  {name.ljust(width)}  {entry.help}" for name, entry in VERBS.items()]
    return "\n".join(
        [
            "usage: triptych VERB [options]      triptych VERB --help      triptych --version",
            "",
            "A line of text, an example picture or a photo becomes a 3D portrait.",
            "",
            *lines,
            "",
            'try: triptych stylize "a bronze statue" --identity 7 --out bronze',
        ]
    )


def parse(verb: str, entry: VerbEntry, options: Sequence[str]) -> Any:
    """Return the verb's dataclass filled from its options.

    Raises:
        UserError: An option is unknown, missing or not of its type.
        SystemExit: A help page was requested and shown.
    """
    import tyro

    _refuse_empty_out(verb, options)
    module = importlib.import_module(f"triptych.cli.{entry.module}")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                getattr(module, entry.class_name),
                args=list(options),
                prog=f"triptych {verb}",
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as leaving:
        if leaving.code in (0, None):
            raise
        _raise_as_one_line(complaint.getvalue(), verb, leaving)


def _refuse_empty_out(verb: str, options: Sequence[str]) -> None:
    """An empty name, as of a shell's unset variable, would mean the current folder."""
    if "--out=" in options or ("--out", "") in pairwise(options):
        raise UserError(
            "--out: got an empty name; expected a folder or a file to write to; "
            f"see triptych {verb} --help"
        )


def _raise_as_one_line(complaint: str, verb: str, leaving: SystemExit) -> NoReturn:
    said = one_line(complaint)
    raise UserError(f"{said}; see triptych {verb} --help") from leaving


def one_line(box: str) -> str:
    """Reduce a boxed parser message to its error sentence.

    Args:
        box: A title and sections of lines, divided by ruled lines, with or without a frame.
    """
    sections: list[list[str]] = [[]]
    for line in box.splitlines():
        inner = line.strip().strip("\u2502|").strip()
        bare = inner.strip("\u2500-\u256d\u256e\u2570\u256f ")
        if not bare:
            sections.append([])
        elif inner.startswith("\u256d"):
            sections += [[bare], []]  # the title is set into the upper edge
        else:
            sections[-1].append(inner)
    filled = [section for section in sections if section]
    if not filled:
        return "the options could not be understood"
    _, *rest = filled if len(filled) > 1 else ([], *filled)
    said = " ".join(rest[0]).removesuffix(" (required)")
    for section in rest[1:]:
        if section[0].startswith("Perhaps you meant") and len(section) > 1:
            said += f"; did you mean {section[1]}?"
    return said.rstrip(".")


def _report_internal_error() -> int:
    traceback.print_exc()
    console.fail("an internal error of triptych; please report the lines above")
    return EXIT_FAILED


def _close_stdout_quietly() -> None:
    # The reader of a pipe is gone; stdout goes elsewhere so that the flush at exit is silent.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
