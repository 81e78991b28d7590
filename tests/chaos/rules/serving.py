"""Rules of the channel, the servers, admission, safe input and containers."""

from tests.chaos.rules.removal import Removal

UNIT = "tests/unit/serving"
SERVER = "tests/integration/serving/test_server.py"
CLIENT = "tests/integration/serving/test_client.py"
PROCESS = "tests/integration/serving/test_process.py"
HOSTILE = f"{UNIT}/test_images.py::test_hostile_or_odd_images_are_refused_with_the_rule"
CHANNEL = "services/serving/channel.py"
SETUP = f"{UNIT}/test_channel.py"
CONTAINERS = "tests/unit/deploy/test_compose_files.py::test_every_container_is_locked_up"
OVERLOAD = f"{CLIENT}::test_overload_is_retried_after_the_pause_even_with_large_requests"


def channel(rule: str, text: str, instead: str = "", test: str = SETUP) -> Removal:
    return Removal(rule, CHANNEL, text, instead, (test,))


def admission(rule: str, text: str) -> Removal:
    test = f"{UNIT}/test_admission.py::test_each_bound_refuses_and_then_admits_again"
    return Removal(rule, "services/serving/admission.py", text, "if False:", (test,))


def image(rule: str, text: str, instead: str = "if False:") -> Removal:
    return Removal(rule, "services/serving/images.py", text, instead, (HOSTILE,))


RULES = (
    channel("dns:///name:port", 'f"dns:///{target}"', "target"),
    channel("round_robin", '{"round_robin": {}}', '{"pick_first": {}}'),
    channel("keepalive", '        ("grpc.keepalive_time_ms", 30_000),\n'),
    channel("messages of 64 MiB", "MAX_MESSAGE_BYTES = 64 << 20", "MAX_MESSAGE_BYTES = 4 << 20"),
    channel("UNAVAILABLE is retried", '["UNAVAILABLE", "RESOURCE_EXHAUSTED"]', '["RESOURCE_EXHAUSTED"]'),
    channel("RESOURCE_EXHAUSTED is retried", '["UNAVAILABLE", "RESOURCE_EXHAUSTED"]', '["UNAVAILABLE"]', OVERLOAD),
    channel(
        "large requests are retried, too",
        '        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),\n',
        test=OVERLOAD,
    ),
    Removal(
        "wait_for_ready",
        "services/serving/client.py",
        "                            wait_for_ready=True,\n",
        "",
        (f"{CLIENT}::test_a_server_that_comes_up_late_is_found",),
    ),
    Removal(
        "wait_for_ready has a timeout",
        "services/serving/client.py",
        "                            timeout=max(0.0, deadline - time.monotonic()),\n",
        "",
        (f"{CLIENT}::test_a_server_that_is_down_is_waited_for_only_until_the_timeout",),
    ),
    Removal(
        "connections end with age, so that new replicas are found",
        "services/serving/limits.py",
        '        ("grpc.max_connection_age_ms", _ms(age_seconds)),\n',
        "",
        (f"{CLIENT}::test_connections_end_with_age_so_that_names_are_resolved_again",),
    ),
    Removal(
        "their grace is longer than the longest call",
        "services/serving/settings.py",
        "max_connection_age_grace_seconds: float = Field(900.0",
        "max_connection_age_grace_seconds: float = Field(60.0",
        ("tests/unit/worker/test_limits.py::test_a_connection_that_ages_leaves_the_longest_call_its_time",),
    ),
    admission("the queue is bounded by length", "if self.requests >= self._max_requests:"),
    admission("the queue is bounded by bytes", "if self.bytes + size > self._max_bytes:"),
    admission("the queue is bounded by pixels", "if self.pixels + count > self._max_pixels:"),
    Removal(
        "a full queue says when to come again",
        "services/serving/servicer.py",
        "((PUSHBACK, str(self._admission.pushback_ms())),) if pushback else ()",
        "()",
        (f"{SERVER}::test_a_full_queue_pushes_back_and_then_recovers",),
    ),
    Removal(
        "a full queue is RESOURCE_EXHAUSTED",
        "services/serving/errors.py",
        "status = grpc.StatusCode.RESOURCE_EXHAUSTED",
        "status = grpc.StatusCode.UNKNOWN",
        (f"{SERVER}::test_a_full_queue_pushes_back_and_then_recovers",),
    ),
    Removal(
        "the expired is dropped before compute",
        "services/serving/batcher.py",
        "expired = piece.call.deadline is not None and piece.call.deadline <= now",
        "expired = False",
        (f"{UNIT}/test_batcher.py::test_an_expired_row_is_not_computed_where_nobody_waits_for_its_place_either",),
    ),
    Removal(
        "the expired is DEADLINE_EXCEEDED",
        "services/serving/errors.py",
        "status = grpc.StatusCode.DEADLINE_EXCEEDED",
        "status = grpc.StatusCode.UNKNOWN",
        (f"{SERVER}::test_the_timeout_parameter_is_a_deadline_and_its_rows_are_never_computed",),
    ),
    Removal(
        "who drains is UNAVAILABLE",
        "services/serving/state.py",
        "if self.phase not in (Phase.READY, Phase.LEAVING):",
        "if False:",
        (f"{SERVER}::test_a_drain_finishes_what_is_inside_and_refuses_what_comes",),
    ),
    Removal(
        "bad input names the tensor and the rule",
        "services/serving/intake.py",
        'raise InvalidInputError(f"tensor {tensor.name}, row {row}: {error}") from error',
        "raise",
        (f"{UNIT}/test_intake.py::test_a_bad_image_is_named_by_tensor_and_row",),
    ),
    Removal(
        "bad input is INVALID_ARGUMENT",
        "services/serving/errors.py",
        "status = grpc.StatusCode.INVALID_ARGUMENT",
        "status = grpc.StatusCode.UNKNOWN",
        (f"{SERVER}::test_what_is_wrong_is_named",),
    ),
    Removal(
        "SIGTERM drains",
        "services/serving/run.py",
        "    clean = await _drain(server, signals)\n",
        "    clean = True\n",
        (f"{PROCESS}::test_a_drain_serves_those_who_have_not_heard_of_it_yet",),
    ),
    Removal(
        "a drain says NOT_SERVING",
        "services/serving/server.py",
        "        await self._state.enter(Phase.LEAVING)\n",
        "",
        (f"{SERVER}::test_a_drain_finishes_what_is_inside_and_refuses_what_comes",),
    ),
    Removal(
        "a drain finishes what is inside",
        "services/serving/server.py",
        "while self._admission.requests:",
        "while False:",
        (f"{SERVER}::test_a_drain_finishes_what_is_inside_and_refuses_what_comes",),
    ),
    Removal(
        "out of memory halves the batch",
        "services/serving/portions.py",
        "if fault_of(error) is not Fault.OUT_OF_MEMORY or len(portion) == 1:",
        "if True:",
        (f"{SERVER}::test_out_of_memory_is_overload_with_a_pause",),
    ),
    Removal(
        "then it is RESOURCE_EXHAUSTED",
        "services/serving/executor.py",
        "if fault is Fault.OUT_OF_MEMORY:",
        "if False:",
        (f"{SERVER}::test_out_of_memory_is_overload_with_a_pause",),
    ),
    Removal(
        "a poisoned device is told",
        "services/serving/batcher.py",
        "        self._lanes.clear()\n        self._on_device_lost()\n",
        "        self._lanes.clear()\n",
        (f"{UNIT}/test_batcher.py::test_a_lost_device_answers_all_and_is_reported",),
    ),
    Removal(
        "a poisoned device exits",
        "services/serving/run.py",
        "return EXIT_DEVICE, False",
        "return 0, True",
        (f"{PROCESS}::test_a_lost_device_answers_and_exits",),
    ),
    image("a cap of bytes before decode", "if len(data) > MAX_BYTES:"),
    image("a cap of pixels before decode", "if width * height > MAX_PIXELS:"),
    image("a cap of the aspect before decode", "if long > MAX_ASPECT * short:"),
    image("an allow-list of formats", ", formats=FORMATS)", ")"),
    Removal(
        "room for pixels is taken before they are decoded",
        "services/serving/intake.py",
        "        permit.add_pixels(pixels)\n",
        "        pass\n",
        (f"{UNIT}/test_intake.py::test_room_for_all_pixels_is_taken_before_any_is_decoded",),
    ),
    Removal(
        "special tokens are refused",
        "services/serving/intake.py",
        "    refuse_special_tokens(model, rows)\n",
        "",
        (f"{SERVER}::test_what_is_wrong_is_named",),
    ),
    Removal(
        "numbers are finite",
        "services/serving/codec.py",
        "if tensor.dtype is DataType.FP32 and not np.isfinite(array).all():",
        "if False:",
        (f"{UNIT}/test_codec.py::test_a_breach_is_refused_with_the_rule",),
    ),
    Removal(
        "weights_only",
        "services/sae/formats/reading.py",
        "weights_only=True)\n",
        "weights_only=False)\n",
        ("tests/unit/test_safe_loading.py::test_a_pickle_with_code_is_refused_and_not_run",),
    ),
    Removal(
        "no trust_remote_code",
        "services/subject/loading.py",
        "config = AutoConfig.from_pretrained(path, revision=revision)",
        "config = AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=True)",
        ("tests/unit/test_safe_loading.py::test_no_code_of_a_repository_is_trusted",),
    ),
    Removal(
        "containers run without root",
        "deploy/Dockerfile",
        'USER steerscope\nENTRYPOINT ["steerscope"]',
        'ENTRYPOINT ["steerscope"]',
        ("tests/unit/deploy/test_dockerfile.py::test_images_run_without_root_and_change_only_at_their_end",),
    ),
    Removal(
        "containers have a read-only root",
        "deploy/compose.yaml",
        "\n  read_only: true\n",
        "\n  read_only: false\n",
        (CONTAINERS,),
    ),
    Removal("containers have no capabilities", "deploy/compose.yaml", "\n  cap_drop: [ALL]\n", "\n", (CONTAINERS,)),
    Removal(
        "errors to clients carry an id: a model's",
        "services/serving/executor.py",
        'f"model {name!r} failed inside (error id {reference})"',
        'f"model {name!r} failed inside ({error})"',
        (f"{SERVER}::test_internals_stay_inside",),
    ),
    Removal(
        "errors to clients carry an id: a decoder's",
        "services/serving/images.py",
        'return InvalidInputError(f"image {rule} (error id {reference})")',
        'return InvalidInputError(f"image {rule} ({error})")',
        (f"{UNIT}/test_images.py::test_the_decoders_own_words_stay_in_the_log",),
    ),
)
