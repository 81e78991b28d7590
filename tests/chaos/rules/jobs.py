"""Rules of the state machine and of Celery."""

from tests.chaos.rules.removal import Removal

SCRIPTS = "orchestrator/jobs/scripts"
STORE = "tests/unit/jobs/test_store.py"
WORKER = "tests/unit/worker"
CELERY = "orchestrator/queue/app.py"
FENCE = "if not holds(job, item, ARGV[3]) then return 0 end\n"


def fenced(script: str) -> Removal:
    test = f"{STORE}::test_a_stale_epoch_is_fenced_everywhere"
    return Removal(f"a stale epoch cannot {script}", f"{SCRIPTS}/{script}.lua", FENCE, "", (test,))


def celery(rule: str, text: str, instead: str) -> Removal:
    return Removal(rule, CELERY, text, instead, (f"{WORKER}/test_limits.py",))


RULES = (
    Removal(
        "the truth is in Redis, append-only",
        "orchestrator/local/redis.py",
        '"appendonly": "yes"',
        '"appendonly": "no"',
        ("tests/integration/test_jobs_worker.py::test_a_restart_of_redis_loses_nothing",),
    ),
    Removal(
        "a claim is a compare-and-set",
        f"{SCRIPTS}/claim.lua",
        "if found[1] ~= 'queued' then return found[1] end\n",
        "",
        (f"{STORE}::test_one_item_has_one_holder",),
    ),
    Removal(
        "a claim bumps the epoch",
        f"{SCRIPTS}/claim.lua",
        "'epoch', 1)",
        "'epoch', 0)",
        (f"{STORE}::test_a_stale_epoch_is_fenced_everywhere",),
    ),
    Removal(
        "a claim takes a lease",
        f"{SCRIPTS}/claim.lua",
        "redis.call('ZADD', LEASES, lapse, member_of(job, item))\nmove",
        "move",
        (f"{STORE}::test_the_sweeper_takes_back_and_then_gives_up",),
    ),
    Removal(
        "a lease is renewed",
        f"{SCRIPTS}/renew.lua",
        "    redis.call('ZADD', LEASES, lapse, member_of(job, item))\n",
        "",
        (f"{STORE}::test_a_renewed_lease_does_not_lapse",),
    ),
    Removal(
        "a thread renews the leases",
        "orchestrator/worker/worker.py",
        "        self._keeper.start()\n",
        "",
        ("tests/integration/test_jobs_worker.py::test_what_takes_longer_than_its_lease_runs_once",),
    ),
    Removal(
        "every write carries the epoch",
        f"{SCRIPTS}/common.lua",
        " and fence == held[2] .. '.' .. held[3]",
        "",
        (f"{STORE}::test_a_stale_epoch_is_fenced_everywhere",),
    ),
    Removal(
        "an epoch given twice has one holder",
        f"{SCRIPTS}/common.lua",
        "fence == held[2] .. '.' .. held[3]",
        "string.match(fence, '^%d+') == held[2]",
        (f"{STORE}::test_an_epoch_that_a_restart_gives_twice_has_one_holder",),
    ),
    *(fenced(script) for script in ("commit", "release", "fail", "stage")),
    Removal(
        "a stale epoch cannot renew",
        f"{SCRIPTS}/renew.lua",
        "not holds(job, item, ARGV[i + 2])",
        "false",
        (f"{STORE}::test_a_stale_epoch_is_fenced_everywhere",),
    ),
    Removal(
        "a script may run twice: claim",
        f"{SCRIPTS}/claim.lua",
        "found[1] == 'running' and found[5] == ARGV[4]",
        "false",
        (f"{STORE}::test_a_claim_that_is_asked_again_is_given_again",),
    ),
    Removal(
        "a script may run twice: stage",
        f"{SCRIPTS}/stage.lua",
        "if not string.find(told, ';' .. report, 1, true) then",
        "if true then",
        (f"{STORE}::test_a_stage_that_is_told_again_is_one_event",),
    ),
    Removal(
        "the sweeper takes back what lapsed",
        "orchestrator/jobs/sweeper.py",
        "lapsed = 0 if silent else self._store.sweep()",
        "lapsed = 0",
        (f"{STORE}::test_one_look_of_the_sweeper_finds_both_dead_workers_and_lost_messages",),
    ),
    Removal(
        "the sweeper publishes lost messages again",
        "orchestrator/jobs/sweeper.py",
        "lost = self._store.rescue()",
        "lost = 0",
        (f"{STORE}::test_one_look_of_the_sweeper_finds_both_dead_workers_and_lost_messages",),
    ),
    Removal(
        "a stuck entry of the outbox comes again",
        f"{SCRIPTS}/take.lua",
        "redis.call('ZADD', OUTBOX, ticket, member)",
        "redis.call('ZREM', OUTBOX, member)",
        (f"{STORE}::test_the_outbox_is_taken_in_order_and_comes_again_until_it_is_acknowledged",),
    ),
    Removal(
        "after the last attempt an item is poison",
        f"{SCRIPTS}/common.lua",
        "if is_cancelled(job) or attempts < max_attempts then",
        "if true then",
        (f"{STORE}::test_the_sweeper_takes_back_and_then_gives_up",),
    ),
    Removal(
        "three attempts",
        "orchestrator/settings.py",
        "default=3, ge=1",
        "default=30, ge=1",
        (f"{WORKER}/test_limits.py::test_leases_and_attempts",),
    ),
    Removal(
        "a lease of 30 s",
        "orchestrator/settings.py",
        "lease_seconds: float = Field(default=30,",
        "lease_seconds: float = Field(default=300,",
        (f"{WORKER}/test_limits.py::test_leases_and_attempts",),
    ),
    Removal(
        "the job goes on, and ends with its last item",
        f"{SCRIPTS}/common.lua",
        "  close_if_over(job)\nend",
        "end",
        (f"{STORE}::test_a_job_runs_to_its_end",),
    ),
    celery("JSON only: what is sent", '"task_serializer": "json"', '"task_serializer": "pickle"'),
    celery("JSON only: what is taken", '"accept_content": ["json"]', '"accept_content": ["json", "pickle"]'),
    celery("no result backend", '"result_backend": None', '"result_backend": "cache+memory://"'),
    celery("results are ignored", '"task_ignore_result": True', '"task_ignore_result": False'),
    celery("acks_late", '"task_acks_late": True', '"task_acks_late": False'),
    celery("prefetch of 1", '"worker_prefetch_multiplier": 1', '"worker_prefetch_multiplier": 4'),
    celery("no prefetch", '"worker_disable_prefetch": True', '"worker_disable_prefetch": False'),
    celery("threads, not prefork", '"worker_pool": "threads"', '"worker_pool": "prefork"'),
    celery("visibility above the longest task", "_VISIBILITY_SECONDS = 3600", "_VISIBILITY_SECONDS = 600"),
    Removal(
        "kombu ≥ 5.7",
        "pyproject.toml",
        '"kombu>=5.7,<6"',
        '"kombu>=5.3,<6"',
        (f"{WORKER}/test_limits.py::test_kombu_is_one_that_survives_a_restart_of_redis",),
    ),
    Removal(
        "no countdown, no ETA",
        "orchestrator/queue/tasks.py",
        "retry=False)",
        "retry=False, countdown=1)",
        (f"{WORKER}/test_app.py::test_messages_carry_ids_in_json_to_the_queue_that_is_measured",),
    ),
    Removal(
        "no arguments but ids",
        "orchestrator/queue/tasks.py",
        "args=(job, item),",
        "args=(job, item, reader.plan(job)),",
        (f"{WORKER}/test_app.py::test_messages_carry_ids_in_json_to_the_queue_that_is_measured",),
    ),
    Removal(
        "cancelling is ours",
        "orchestrator/worker/keeper.py",
        'if answer == "cancelling":',
        'if answer == "never":',
        (f"{WORKER}/test_runner.py::test_a_cancelled_job_stops_its_items",),
    ),
    Removal(
        "a lost lease stops the handler",
        "orchestrator/worker/keeper.py",
        'elif answer == "fenced" and',
        'elif answer == "never" and',
        (f"{WORKER}/test_runner.py::test_what_lost_its_lease_writes_nothing",),
    ),
    Removal(
        "draining is ours",
        "orchestrator/worker/worker.py",
        'threading.Thread(target=self._drain, name="drain", daemon=True).start()',
        "pass",
        ("tests/integration/test_jobs_worker.py::test_sigterm_lets_items_finish_and_gives_back_what_takes_too_long",),
    ),
    Removal(
        "deadlines are ours",
        "orchestrator/remote/calls.py",
        "timeout=self.timeout,",
        "timeout=1e9,",
        ("tests/unit/remote/test_calls.py::test_a_call_has_the_time_of_its_stage",),
    ),
    Removal(
        "a worker that hears nothing exits",
        "orchestrator/worker/watchdog.py",
        "            self._give_up()\n",
        "",
        (f"{WORKER}/test_watchdog.py::test_a_filled_queue_and_nothing_to_do_is_alarm",),
    ),
    Removal(
        "minutes are retried in the stage",
        "orchestrator/remote/calls.py",
        "_TRANSIENT = (UnavailableError, OverloadedError, ExpiredError)",
        "_TRANSIENT = ()",
        ("tests/unit/remote/test_calls.py::test_transient_faults_are_retried",),
    ),
    Removal(
        "errors to users carry an id: items",
        "orchestrator/worker/runner.py",
        'reason = f"internal error {error_id}; see the worker\'s log"',
        "reason = traceback.format_exc()",
        (f"{WORKER}/test_runner.py::test_an_unforeseen_fault_counts_and_hides_its_text",),
    ),
    Removal(
        "errors to clients carry an id: the Jobs API",
        "orchestrator/api/faults.py",
        'f"internal error {error_id}; see the API\'s log"',
        'f"internal error {error_id}: {error}"',
        ("tests/unit/api/test_faults.py::test_internals_stay_inside",),
    ),
)
