"""What Jobs and CronJobs may say, in Kubernetes' words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.strategies.cron_schedules import schedule_problem
from fairlead_control_plane.kinds.strategies.job_indexes import IndexesError, count_indexes, overlap
from tests.unit.control_plane.kinds.making import changed, new, strategy_of, wrong_change, wrong_status, wrong_with

_PODS: JsonObject = {"restartPolicy": "Never", "containers": [{"name": "work", "image": "work"}]}
_TEMPLATE: JsonObject = {"template": {"spec": _PODS}}
_AT = "status.conditions"


def _job(**spec: Any) -> JsonObject:
    return new("batch", "jobs", {**_TEMPLATE, **spec})


def _true(*kinds: str) -> list[JsonObject]:
    return [{"type": kind, "status": "True"} for kind in kinds]


def test_a_job_selects_its_own_pods() -> None:
    """Its uid and name mark the template, and the Job itself, which has no labels of its own."""
    job = _job()
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert wrong_with("batch", "jobs", job) == []


def test_made_labels_belong_to_nobody() -> None:
    """They come once it is noted who manages what."""
    obj: JsonObject = {"metadata": {"name": "it"}, "spec": {"template": {"spec": {}}}}
    prepare = strategy_of("batch", "jobs").prepare_create
    assert prepare is not None
    prepare(obj)
    assert "selector" not in obj["spec"]


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        (
            {"completionMode": "Indexed", "completions": 200_000, "backoffLimitPerIndex": 1, "parallelism": 20_000},
            [
                ("spec.maxFailedIndexes", "Required value: must be specified when completions is above 100000"),
                (
                    "spec.parallelism",
                    "Invalid value: 20000: must be less than or equal to 10000 when completions are above 100000 "
                    "and used with backoff limit per index",
                ),
            ],
        ),
        (
            {"maxFailedIndexes": 1},
            [
                ("spec.backoffLimitPerIndex", "Required value: when maxFailedIndexes is specified"),
                ("spec.maxFailedIndexes", "Invalid value: 1: requires indexed completion mode"),
            ],
        ),
        (
            {"managedBy": "me"},
            [
                (
                    "spec.managedBy",
                    'Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
                )
            ],
        ),
        (
            {
                "podFailurePolicy": {
                    "rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [2, 0]}}]
                }
            },
            [
                (
                    "spec.podFailurePolicy.rules[0].action",
                    'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
                ),
                (
                    "spec.podFailurePolicy.rules[0].onExitCodes.values[1]",
                    "Invalid value: 0: must not be 0 for the In operator",
                ),
                ("spec.podFailurePolicy.rules[0].onExitCodes.values", "Invalid value: [2,0]: must be ordered"),
            ],
        ),
        (
            {"podFailurePolicy": {"rules": [{}]}},
            [
                (
                    "spec.podFailurePolicy.rules[0].action",
                    'Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
                ),
                (
                    "spec.podFailurePolicy.rules[0]",
                    "Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
                ),
            ],
        ),
        (
            {"successPolicy": {"rules": [{"succeededCount": 1}]}},
            [
                (
                    "spec.successPolicy",
                    'Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: '
                    "requires indexed completion mode",
                )
            ],
        ),
        (
            {
                "completionMode": "Indexed",
                "completions": 3,
                "successPolicy": {"rules": [{"succeededIndexes": "0,2", "succeededCount": 3}]},
            },
            [
                (
                    "spec.successPolicy.rules[0].succeededCount",
                    "Invalid value: 3: must be less than or equal to 2 "
                    "(the number of indexes in the specified succeededIndexes field)",
                )
            ],
        ),
    ],
)
def test_specs_are_refused(spec: JsonObject, causes: list[tuple[str, str]]) -> None:
    """Field and message of each cause."""
    found = wrong_with("batch", "jobs", _job(**spec))
    assert [(field, message) for field, _, message in found] == causes


def test_a_running_jobs_template_stays() -> None:
    """The message shows the internal struct, with the labels that were made."""
    old = _job()
    obj = changed("batch", "jobs", old, {"template": {"spec": {"nodeSelector": {"a": "b"}}}})
    ((field, _, message),) = wrong_change("batch", "jobs", obj, old)
    assert field == "spec.template"
    assert message.startswith('Invalid value: {"labels":{"batch.kubernetes.io/controller-uid":')
    assert message.endswith('"HostnameOverride":null,"SchedulingGroup":null}}: field is immutable')


def test_a_suspended_jobs_pods_may_go_elsewhere() -> None:
    """Where they run and what they need may change, nothing else."""
    old = _job(suspend=True)
    affinity: JsonObject = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    pods = {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "affinity": affinity}
    assert wrong_change("batch", "jobs", changed("batch", "jobs", old, {"template": {"spec": pods}}), old) == []
    asked = {"containers": [{"name": "work", "image": "work", "resources": {"requests": {"cpu": "1"}}}]}
    assert wrong_change("batch", "jobs", changed("batch", "jobs", old, {"template": {"spec": asked}}), old) == []
    other = {"containers": [{"name": "work", "image": "other"}]}
    found = wrong_change("batch", "jobs", changed("batch", "jobs", old, {"template": {"spec": other}}), old)
    assert [field for field, _, _ in found] == ["spec.template.spec"]


def test_an_elastic_job_grows_with_its_completions() -> None:
    """Both together."""
    old = _job(completionMode="Indexed", completions=2, parallelism=2)
    assert wrong_change("batch", "jobs", changed("batch", "jobs", old, {"completions": 3, "parallelism": 3}), old) == []
    assert wrong_change("batch", "jobs", changed("batch", "jobs", old, {"completions": 3}), old) == [
        ("spec.completions", "Invalid", "Invalid value: 3: can only be modified in tandem with spec.parallelism")
    ]


@pytest.mark.parametrize(
    ("status", "causes"),
    [
        (
            {"conditions": _true("Complete")},
            [
                ("status.completionTime", "Required value: completionTime is required for Complete jobs"),
                (
                    _AT,
                    "Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
                ),
                ("status.startTime", "Required value: startTime is required for finished job"),
                ("status.failed", "Invalid value: 0: cannot decrease the failed counter"),
            ],
        ),
        (
            {"conditions": _true("Failed"), "startTime": "2024-01-02T03:04:05Z", "active": 1, "failed": 1},
            [
                (_AT, "Invalid value: cannot set Failed=True condition without the FailureTarget=true condition"),
                ("status.active", "Invalid value: 1: active>0 is invalid for finished job"),
            ],
        ),
        (
            {"failed": 1, "ready": 2, "active": 1, "completedIndexes": "0"},
            [
                (
                    "status.completedIndexes",
                    'Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
                ),
                ("status.ready", "Invalid value: 2: cannot set more ready pods than active"),
            ],
        ),
        (
            {"failed": 1, "uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a", ""]}},
            [
                ("status.uncountedTerminatedPods.failed[0]", 'Duplicate value: "a"'),
                ("status.uncountedTerminatedPods.failed[1]", 'Invalid value: "": must not be empty'),
            ],
        ),
    ],
)
def test_statuses_are_refused(status: JsonObject, causes: list[tuple[str, str]]) -> None:
    """How a Job ends, and what it counted."""
    old = _job()
    old["status"]["failed"] = 1
    _, found = wrong_status("batch", "jobs", old, status)
    assert [(field, message) for field, _, message in found] == causes


@pytest.mark.parametrize(("text", "count"), [("1,3-5", 4), ("", 0)])
def test_lists_of_indexes_are_counted(text: str, count: int) -> None:
    """Each index once."""
    assert count_indexes(text, 9) == count


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1-2-3", 'the fragment "1-2-3" violates the requirement that an index interval can have at most two parts '),
        ("3,1", "non-increasing order, previous: 3, current: 1"),
        ("a", 'cannot convert string to integer for index: "a"'),
        ("9", 'too large index: "9"'),
    ],
)
def test_malformed_lists_of_indexes_are_refused(text: str, problem: str) -> None:
    """In Kubernetes' words."""
    with pytest.raises(IndexesError, match=f"^{re.escape(problem)}"):
        count_indexes(text, 9)


def test_lists_of_indexes_share_the_first() -> None:
    """What is malformed is left out."""
    assert overlap("1,3-5", "x,4-7", 9) == 4
    assert overlap("1,3", "2,4", 9) is None


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("*/5 0-6,22 1 jan-mar MON", ""),
        ("@every 1h30m", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("TZ=Nowhere/At * * * * *", "provided bad location Nowhere/At: unknown time zone Nowhere/At"),
    ],
)
def test_schedules_are_read_as_cron_does(schedule: str, problem: str) -> None:
    """With its words."""
    assert schedule_problem(schedule) == problem


def test_cron_jobs_are_refused() -> None:
    """For their name, their zone and what a template may not say."""
    job = {"spec": {**_TEMPLATE, "selector": {"matchLabels": {"a": "b"}}, "manualSelector": True}}
    spec = {"schedule": "TZ=UTC * * * * *", "timeZone": "Local", "jobTemplate": job}
    obj = new("batch", "cronjobs", spec)
    obj["metadata"]["name"] = "x" * 53
    assert [(field, message) for field, _, message in wrong_with("batch", "cronjobs", obj)] == [
        (
            "spec.schedule",
            'Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
        ),
        (
            "spec.timeZone",
            'Invalid value: "Local": timeZone must be an explicit time zone as defined in '
            "https://www.iana.org/time-zones",
        ),
        (
            "spec.jobTemplate.spec.selector",
            'Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
        ),
        ("spec.jobTemplate.spec.manualSelector", 'Unsupported value: true: supported values: "nil", "false"'),
        ("metadata.name", f'Invalid value: "{"x" * 53}": must be no more than 52 characters'),
    ]
