"""What Sluice's functions write while a test runs them: their log, and the lines of their metrics."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aws_lambda_powertools.logging.formatter import BasePowertoolsFormatter


class _Stdout:
    """Standard output as it is at the moment: loggers keep the one of their time."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@dataclass
class OwnLines:
    """All that was written, as Lambda would hand it to CloudWatch."""

    capsys: pytest.CaptureFixture[str]
    _text: str = ""

    @property
    def text(self) -> str:
        captured = self.capsys.readouterr()
        self._text += captured.out + captured.err
        return self._text

    def about(self, word: str) -> list[dict[str, Any]]:
        """The lines that a search for the word finds; each is a JSON object."""
        return [json.loads(line) for line in self.text.splitlines() if word in line]


@contextmanager
def own_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[OwnLines]:
    """Catches the lines of every function that is loaded when it begins."""
    before = [(handler, handler.setStream(_Stdout())) for handler in _handlers()]
    try:
        yield OwnLines(capsys)
    finally:
        for handler, stream in before:
            handler.setStream(stream)


def _handlers() -> Iterator["logging.StreamHandler[Any]"]:
    """Those of Powertools' loggers."""
    for logger in list(logging.root.manager.loggerDict.values()):
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, BasePowertoolsFormatter):
                yield handler
