"""The page, the dashboard and the scrape configuration name what our processes really export."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from orchestrator import metrics
from orchestrator.local.stack import DEFAULT_PORTS, SERVICES
from services.serving.settings import METRICS_OFFSET
from tests.unit.observability.exported import names, orchestrator_metrics, series, service_metrics

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana/steerscope.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
OVERLAY = yaml.safe_load((ROOT / "deploy/compose.observability.yaml").read_text())
SCRAPED = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"]


@pytest.fixture
def exported(monkeypatch):
    return [*orchestrator_metrics(monkeypatch), *service_metrics(monkeypatch)]


def page_rows() -> dict[str, tuple[str, set[str]]]:
    """Metric → where it comes from, and its labels."""
    page = (ROOT / "docs/observability.md").read_text()
    table = page.split("<!-- metrics:start -->")[1].split("<!-- metrics:end -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*)\|", table, re.MULTILINE)
    return {name: (source.strip(), set(labels.replace(",", " ").split())) for name, source, labels in rows}


def test_the_page_names_every_metric_and_no_other(monkeypatch):
    rows = page_rows()
    of_services = {name for name, (source, _) in rows.items() if source.startswith("services")}
    assert names(service_metrics(monkeypatch)) == of_services
    assert names(orchestrator_metrics(monkeypatch)) == set(rows) - of_services


def test_the_page_names_the_labels(exported):
    rows = page_rows()
    for metric in exported:
        name = metric.name + "_total" * (metric.type == "counter")
        for sample in metric.samples:
            if name in rows:
                assert set(sample.labels) - {"le"} == rows[name][1], name


def test_the_page_names_the_labels_of_what_was_not_counted_yet():
    rows = page_rows()
    for one in vars(metrics).values():
        if isinstance(one, Counter | Gauge | Histogram):
            name = one._name + "_total" * isinstance(one, Counter)
            assert set(one._labelnames) == rows[name][1], name


def test_every_metric_of_the_dashboard_is_exported(exported):
    known = series(exported) | {"up"}
    for expression in EXPRESSIONS:
        named = set(re.findall(r"\b(?:steerscope|nv|process)_\w+|\bup\b", expression))
        assert named, expression
        assert named <= known, named - known


def test_the_dashboard_shows_what_it_should():
    text = "\n".join(EXPRESSIONS)
    for metric in (
        *("items_waiting", "items_running", "outbox_overdue", "outcomes_total", "stage_seconds", "leases_expired"),
        *("items_poisoned", "batch_rows", "request_stage_seconds", "api_call_seconds", "nv_inference_pending"),
    ):
        assert metric in text, metric


def test_the_dashboard_is_sane():
    assert DASHBOARD["uid"] == "steerscope" and DASHBOARD["title"] and DASHBOARD["schemaVersion"] >= 39
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["type"] in ("timeseries", "stat") and panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
    for expression in EXPRESSIONS:
        assert all(expression.count(left) == expression.count(right) for left, right in ("()", "[]", "{}"))
        # counters only as rates, and the deployment's gauges, which every API process tells, never summed over them
        assert not re.search(r"(?<!rate\()\bsteerscope_\w+_(total|sum|count|bucket)\b", expression), expression
        assert not re.search(r"sum\([^m)]*steerscope_(items_waiting|items_running|jobs_active|workers)", expression)


def test_the_data_source_has_the_uid_of_the_dashboard():
    (source,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["uid"] == "prometheus" and source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/steerscope.yaml").read_text())[
        "providers"
    ]
    volumes = OVERLAY["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/steerscope.json:{provider['options']['path']}/steerscope.json:ro" in volumes


def test_prometheus_asks_every_process_where_it_answers():
    asked = {name: entry["port"] for job in SCRAPED for entry in job["dns_sd_configs"] for name in entry["names"]}
    ports = {name: DEFAULT_PORTS[name] + METRICS_OFFSET for name in SERVICES}
    assert asked == ports | {"api": 9000, "worker": 9000}
    for name in ("api", "worker"):
        environment = OVERLAY["services"][name]["environment"]
        assert environment["STEERSCOPE_METRICS_PORT"] == str(asked[name])
        assert environment["STEERSCOPE_METRICS_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_the_watchers_are_locked_up_as_the_rest(name):
    service = OVERLAY["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["user"] not in ("0", "root")
    assert "privileged" not in service and "docker.sock" not in str(service)
    assert [port.startswith("127.0.0.1:") for port in service["ports"]] == [True]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert all(
        one.get("ports") is None for other, one in OVERLAY["services"].items() if other not in ("prometheus", "grafana")
    )


def test_traces_reach_every_process():
    for name in (*SERVICES, "api", "worker"):
        assert "STEERSCOPE_OTLP_ENDPOINT" in OVERLAY["services"][name]["environment"]
