"""The catalogue of mutations fits the code; that tests catch them is shown by `make test-mutations`."""

from mutations.catalogue import MUTATIONS
from mutations.copy import REPOSITORY, find_stale


def test_every_mutation_still_fits_the_code() -> None:
    assert find_stale(REPOSITORY, MUTATIONS) == []


def test_every_mutation_names_tests_that_exist() -> None:
    for mutation in MUTATIONS:
        for test in mutation.tests:
            file, *names = test.split("::")
            text = (REPOSITORY / file).read_text()
            assert all(f"class {name}" in text or f"def {name}(" in text for name in names), test


def test_mutations_have_names_of_their_own() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names))
