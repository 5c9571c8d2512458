"""Faults of what applications may send, and of whose turn it is."""

from mutations.model import Mutation

_SCRIPT = "layers/common/python/sluice/admission/scripts/admit.lua"
_CONTRACT = "tests/contracts/test_admission.py"

LIMITS = (
    Mutation(
        "a refused log on its own is answered as taken in",
        "clients believe that the queue has what it has not",
        "layers/common/python/sluice/intake/redis.py",
        'if verdict == b"queued":',
        "if numbers:",
        (
            "tests/contracts/test_intake.py::test_a_single_log_is_refused_as_any_batch_is",
            "tests/contracts/test_intake.py::test_a_single_log_that_the_queue_refuses",
        ),
    ),
    Mutation(
        "requests are not charged",
        "the rate of requests never holds",
        _SCRIPT,
        "requests, bytes, day_bytes = requests - 1,",
        "requests, bytes, day_bytes = requests,",
        (f"{_CONTRACT}::test_requests_over_the_rate_are_refused_until_time_passes",),
    ),
    Mutation(
        "no debt",
        "large bodies pass at any rate",
        _SCRIPT,
        "bytes - size, day_bytes + size",
        "math.max(0.001, bytes - size), day_bytes + size",
        (f"{_CONTRACT}::test_one_large_body_is_admitted_and_paid_for_afterwards",),
    ),
    Mutation(
        "a bucket without a brim",
        "who was idle for an hour may send an hour's worth at once",
        _SCRIPT,
        "math.min(request_rate * burst, tonumber(state[2] or 0) + (now - at) * request_rate + back)",
        "state[1] and tonumber(state[2]) + (now - at) * request_rate + back or request_rate * burst",
        (f"{_CONTRACT}::test_idle_time_fills_no_more_than_the_bucket",),
    ),
    Mutation(
        "the day never ends",
        "who used up a day's quota is locked out for ever",
        _SCRIPT,
        "local is_today = tonumber(state[4]) == day\n",
        "local is_today = state[4]\n",
        (f"{_CONTRACT}::test_a_quota_of_bytes_is_for_one_day",),
    ),
    Mutation(
        "what is charged ahead costs nothing",
        "who sends many single logs passes at any rate",
        _SCRIPT,
        "string.format('%.6f', requests - ahead)",
        "string.format('%.6f', requests)",
        ("tests/contracts/test_intake.py::test_the_rate_holds_for_single_logs_of_many_processes",),
    ),
    Mutation(
        "what was not used is never given back",
        "requests that nobody sent use up the day's quota",
        _SCRIPT,
        "math.max(0, tonumber(state[5]) - back_bytes)",
        "math.max(0, tonumber(state[5]))",
        ("tests/contracts/test_intake.py::test_each_of_many_single_logs_is_charged",),
    ),
    Mutation(
        "what was not used yesterday is given back today",
        "a day's quota is exceeded",
        "layers/common/python/sluice/admission/lease.py",
        "back = (self._requests, self._bytes) if now < self._day_ends else (0, 0)",
        "back = (self._requests, self._bytes)",
        ("tests/unit/test_lease.py::test_nothing_of_one_day_is_given_back_to_the_next",),
    ),
    Mutation(
        "given back twice",
        "after a reply that was lost, more is admitted than was charged",
        "layers/common/python/sluice/admission/lease.py",
        "        self._hold(0, 0)\n",
        "",
        ("tests/unit/test_lease.py::test_nothing_is_given_back_whose_question_may_have_arrived",),
    ),
    Mutation(
        "a refusal recalled for too long",
        "a client that waited as long as it was told is refused again",
        "layers/common/python/sluice/admission/model.py",
        "return min(CERTAIN_SECONDS, (max(violated.values()) - 1) / 1000)",
        "return CERTAIN_SECONDS",
        (f"{_CONTRACT}::test_a_refusal_is_recalled_while_it_holds_for_certain",),
    ),
    Mutation(
        "no refund",
        "repetitions against a full queue use up the day's quota",
        "functions/ingest/accept.py",
        "if error.code in FULL:",
        "if False:",
        ("tests/functions/test_ingest.py::test_what_a_full_queue_refuses_costs_nothing_of_the_day",),
    ),
    Mutation(
        "turns by arrival",
        "a large backlog of one application holds up all others",
        "layers/common/python/sluice/chunks/fair.py",
        "application = entry.application_id or 0",
        "application = 0",
        ("tests/functions/test_fair_drain.py::test_who_comes_last_with_little_is_in_the_first_chunks_in_flight",),
    ),
    Mutation(
        "what there was no time for is not given back",
        "it waits for three time-outs, and then as if it had killed a run",
        "functions/drain/passes.py",
        "self.drain.queue.release(shard, page, is_forgiven=True)",
        "pass",
        ("tests/functions/test_fair_drain.py::test_what_a_pass_had_no_time_for_is_nobodys_fault_and_next_at_once",),
    ),
)
