"""The values of a log: what its message has in the places of its template."""

from sluice.templates.model import WILDCARD


def parameters(template_text: str, message: str) -> list[str]:
    """What stands in ``message``, blanks squeezed, for each ``<*>``, in order; empty if it is not of this template.

    Constants are found from left to right, each as early as possible, so the time is linear.

    >>> parameters("took <*> ms (<*>)", "took 12  ms (ok)")
    ['12', 'ok']
    """
    text = " ".join(message.split())
    first, *constants = template_text.split(WILDCARD)
    if not constants or not text.startswith(first):
        return []
    last = constants.pop()
    end = len(text) - len(last)
    position, values = len(first), []
    for constant in constants:
        found = text.find(constant, position, end)
        if found < 0:
            return []
        values.append(text[position:found])
        position = found + len(constant)
    return [*values, text[position:end]] if position <= end and text.endswith(last) else []
