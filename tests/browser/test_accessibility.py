"""Every page in every state: nothing that axe-core calls serious in either theme, and nothing wider than the window."""

import pytest

from administrator import Sender
from scenes import SCENES, Place, show
from visitor import NARROW, WIDE, Visit, Visitor

GROUPS = sorted({scene.__name__.split("_")[0] for scene in SCENES})


@pytest.fixture(scope="module")
def place(few: Sender) -> Place:
    return Place(few.application, f"logs?q=app%3A{few.application}")


@pytest.mark.parametrize("group", GROUPS)
def test_every_state(visit: Visit, admin_key: str, place: Place, group: str) -> None:
    visitor = visit(reduced_motion="reduce")
    visitor.sign_in(admin_key, "nowhere")
    faults = {}
    with visitor.expecting("40[0134]|503"):
        for scene in SCENES:
            if scene.__name__.split("_")[0] == group:
                visitor.page.set_viewport_size(NARROW)
                show(scene, visitor, place)
                faults[scene.__name__] = found(visitor)
    assert {name: fault for name, fault in faults.items() if fault} == {}


def found(visitor: Visitor) -> list[str]:
    """All rules narrow and light; wide and dark only what can differ there."""
    faults = visitor.serious_faults()
    faults += [f"{visitor.overflow()} px too wide"] if visitor.overflow() > 0 else []
    visitor.page.emulate_media(color_scheme="dark")
    visitor.page.set_viewport_size(WIDE)
    faults += [f"dark: {fault}" for fault in visitor.serious_faults("color-contrast")]
    faults += [f"{visitor.overflow()} px too wide when wide"] if visitor.overflow() > 0 else []
    visitor.page.emulate_media(color_scheme="light")
    return faults
