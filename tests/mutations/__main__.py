"""Applies each mutation to a copy of the repository and expects its tests to fail.

    make test-mutations
    PYTHONPATH=tests build/venv/bin/python -m mutations [WORD...]     only those with a word in their name

Exit code 1 if a mutation survives, its tests do not run, or its text is no longer in the code.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mutations.catalogue import MUTATIONS
from mutations.copy import REPOSITORY, Copy, copy_repository, find_stale
from mutations.model import Mutation, Outcome, Verdict
from stack import _own_directory, running_stack


def main(words: Sequence[str]) -> int:
    """Runs the mutations whose names hold one of the words, by default all; returns the exit code."""
    chosen = [item for item in MUTATIONS if not words or any(word in item.name for word in words)]
    if not chosen:
        _say(f"no mutation is named like {' or '.join(words)}: see tests/mutations/catalogue")
        return 1
    if stale := find_stale(REPOSITORY, chosen):
        _say("\n".join([*stale, "bring tests/mutations/catalogue up to date with the code"]))
        return 1
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="sluice-mutations-") as root,
        _own_directory() as state,
        running_stack(state, "--without", "emulator") as stack,
    ):
        copy = copy_repository(Path(root).resolve(), stack.state)
        if not _passes_unmutated(copy, chosen):
            return 1
        outcomes = [_try(copy, mutation) for mutation in chosen]
    caught = sum(outcome.verdict is Verdict.CAUGHT for outcome in outcomes)
    _say(f"\n{caught} of {len(chosen)} mutations caught in {time.monotonic() - started:.0f} s")
    return 0 if caught == len(chosen) else 1


def _passes_unmutated(copy: Copy, mutations: Sequence[Mutation]) -> bool:
    outcome = copy.test(sorted({test for mutation in mutations for test in mutation.tests}))
    if outcome.verdict is Verdict.SURVIVED:
        _say(f"without a mutation all their tests pass  ({outcome.seconds:.1f} s)\n")
        return True
    _say(f"the tests do not pass without a mutation, repair that first: {outcome.detail}")
    return False


def _try(copy: Copy, mutation: Mutation) -> Outcome:
    with copy.mutated(mutation):
        outcome = copy.test(mutation.tests)
    width = max(len(item.name) for item in MUTATIONS)
    detail = outcome.detail if outcome.verdict is Verdict.CAUGHT else f"{mutation.why}\n{outcome.detail}"
    _say(f"{outcome.verdict:<8}  {mutation.name:<{width}}  {outcome.seconds:5.1f} s  {detail}")
    return outcome


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
