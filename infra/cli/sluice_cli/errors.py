"""Expected failures of a command, named by what the operator has to do; each kind has its exit code."""


class CliError(Exception):
    """A failure that is reported in one line on stderr, without a traceback.

    message: what is wrong, without a full stop.  hint: what to do about it, a whole sentence, or "".
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def line(self) -> str:
        """Message and hint as one printable line, whatever line breaks a server's answer had in it."""
        text = f"{self.message.rstrip('. ')}. {self.hint}" if self.hint else self.message
        return " ".join(text.splitlines())


class RefusedError(CliError):
    """The request was understood and refused; the same request will be refused again (exit code 1).

    code: the server's stable code, or "" where there is none.
    """

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class SettingsError(CliError):
    """Something is missing from or wrong in options, environment or env file (exit code 2, as wrong usage)."""

    exit_code = 2


class DeniedError(CliError):
    """The API key or the AWS credentials were not accepted (exit code 3)."""

    exit_code = 3


class UnavailableError(CliError):
    """Nobody answers, or the answer is "later" and stayed so through all retries (exit code 4)."""

    exit_code = 4
