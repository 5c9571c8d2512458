"""All mutations, by the part of the pipeline that they damage. One that no test catches is a hole in the tests."""

from mutations.catalogue.access import ACCESS
from mutations.catalogue.archive import ARCHIVE
from mutations.catalogue.dead_letters import DEAD_LETTERS
from mutations.catalogue.delivery import DELIVERY
from mutations.catalogue.erasure import ERASURE
from mutations.catalogue.limits import LIMITS
from mutations.catalogue.notifications import NOTIFICATIONS
from mutations.catalogue.queue import QUEUE
from mutations.catalogue.reading import READING
from mutations.catalogue.storage import STORAGE
from mutations.catalogue.templates import TEMPLATES

MUTATIONS = (
    *QUEUE,
    *DELIVERY,
    *STORAGE,
    *DEAD_LETTERS,
    *ACCESS,
    *ARCHIVE,
    *ERASURE,
    *LIMITS,
    *TEMPLATES,
    *READING,
    *NOTIFICATIONS,
)
