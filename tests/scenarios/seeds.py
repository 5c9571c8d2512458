"""Which seeds to play."""


def parse_seeds(text: str) -> list[int]:
    """Of "1-3,7"."""
    ranges = (part.partition("-") for part in text.split(","))
    return [seed for first, _, last in ranges for seed in range(int(first), int(last or first) + 1)]
