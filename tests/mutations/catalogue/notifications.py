"""Faults of who is told of incidents: hostile targets, messages that are lost, doubled or told in the wrong order."""

from mutations.model import Mutation

_FOLDER = "layers/common/python/sluice/notifications"
_ADDRESSES, _HTTP, _DISPATCH = f"{_FOLDER}/addresses.py", f"{_FOLDER}/http.py", f"{_FOLDER}/postgres.py"
_ROUTING, _SIGNING = f"{_FOLDER}/routing.py", f"{_FOLDER}/signing.py"
_HOSTILE, _PURE = "tests/unit/test_webhook_addresses.py", "tests/unit/test_notifications.py"
_TOLD = "tests/integration/test_notifications.py"

NOTIFICATIONS = (
    Mutation(
        "one public address is enough",
        "a name with a public and a private address leads into the network",
        _ADDRESSES,
        "not all(map(is_public, found))",
        "not any(map(is_public, found))",
        (f"{_HOSTILE}::test_names_that_lead_to_hostile_addresses_are_refused",),
    ),
    Mutation(
        "an address inside another",
        "a host in the network is reached by an address of IPv6 that holds its own",
        _ADDRESSES,
        "return isinstance(address, IPv4Address) or _is_plain_unicast(address)",
        "return True",
        (f"{_HOSTILE}::test_names_that_lead_to_hostile_addresses_are_refused",),
    ),
    Mutation(
        "an address as a webhook's host",
        "somebody writes 2130706433 and gets 127.0.0.1",
        _ADDRESSES,
        "if not _NAME.fullmatch(host) or",
        "if",
        (f"{_HOSTILE}::test_hostile_urls_are_refused_before_any_look_up",),
    ),
    Mutation(
        "a name that is looked up again",
        "what was judged is not what is connected to",
        _HTTP,
        "closing(_connect(addresses, target.port, seconds))",
        "closing(_connect([target.host], target.port, seconds))",
        (f"{_HOSTILE}::test_the_connection_goes_to_the_judged_address_alone",),
    ),
    Mutation(
        "an attempt after its lease",
        "two attempts send the same message at the same time",
        _HTTP,
        "if seconds <= 0:",
        "if False:",
        (f"{_HOSTILE}::test_nothing_is_sent_when_the_lease_is_over",),
    ),
    Mutation(
        "a receiver that never ends",
        "one that sends a byte now and then stops all sending",
        _HTTP,
        "copy.shutdown(socket.SHUT_RDWR)",
        "copy.fileno()",
        (f"{_HOSTILE}::test_a_receiver_that_trickles_is_cut_off",),
    ),
    Mutation(
        "no lease",
        "two runs send the same message",
        _DISPATCH,
        "AND (m.leased_until IS NULL OR m.leased_until < %(now)s)\n  AND c.is_enabled",
        "AND c.is_enabled",
        (f"{_TOLD}::test_a_late_word_that_it_arrived_counts",),
    ),
    Mutation(
        "routing by several at once",
        "an event is told in two messages",
        _DISPATCH,
        'cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))',
        'cursor.execute("SELECT %s > 0", (_LOCK,))',
        (f"{_TOLD}::test_runs_at_the_same_time_send_once",),
    ),
    Mutation(
        "an end before its beginning",
        "a receiver that was down hears that it is over, and then that it began",
        _DISPATCH,
        "earlier.status = 'pending' AND earlier.position < m.position",
        "earlier.status = 'pending' AND earlier.position > m.position",
        (f"{_TOLD}::test_a_receiver_that_is_down_gets_it_later_once_and_in_order",),
    ),
    Mutation(
        "a late failure that counts",
        "a message is given up that another run is sending",
        _DISPATCH,
        "AND status = 'pending' AND attempt_count = %(attempt)s",
        "AND status = 'pending' AND attempt_count >= %(attempt)s",
        (f"{_TOLD}::test_a_late_failure_is_none_of_the_next_attempts_business",),
    ),
    Mutation(
        "a failure for good",
        "a receiver that was down for a minute is never told",
        _DISPATCH,
        "if outcome.result is Result.FAILED and not is_last",
        "if is_last",
        (f"{_TOLD}::test_a_receiver_that_is_down_gets_it_later_once_and_in_order",),
    ),
    Mutation(
        "silences that silence for ever",
        "what still burns when the silence ends is told to nobody",
        _ROUTING,
        'return event.is_firing if event.kind == "firing" else event.kind == "resolved"',
        "return False",
        (f"{_PURE}::test_a_silenced_incident_is_told_when_the_silence_ends_if_it_is_still_there",),
    ),
    Mutation(
        "a signature of the body alone",
        "a message that was recorded once can be sent again and again",
        _SIGNING,
        'signed = b"%s.%d.%s" % (message_id.encode(), sent_at, body)',
        "signed = body",
        (f"{_PURE}::test_the_specs_own_example_has_its_signature",),
    ),
)
