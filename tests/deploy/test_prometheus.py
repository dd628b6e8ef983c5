"""The shipped rules in a real Prometheus, on a system that runs: quiet while it is well, and heard when it is not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.brokers import free_port
from tests.crash.deployment import Deployment, eventually
from tests.crash.receivers import Receivers
from tests.local_stack.compose import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"


@contextmanager
def _prometheus(home: Path, target: str) -> Iterator[str]:
    """Prometheus with the embedded run's configuration, but scraping ``target``, and every second."""
    said = yaml.safe_load((PROMETHEUS / "embedded.yml").read_text())
    said["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    said["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    said["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    file = home / "prometheus.yml"
    file.write_text(yaml.safe_dump(said))
    at = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={file}", f"--storage.tsdb.path={home / 'tsdb'}", f"--web.listen-address={at}"]
    with (home / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)
        try:
            yield f"http://{at}/api/v1"
        finally:
            process.terminate()
            process.wait(30)


def _asked(url: str, **query: str) -> Any:
    try:
        return httpx2.get(url, params=query, timeout=30).json()["data"]
    except (httpx2.HTTPError, ValueError):
        return None


def _firing(prometheus: str) -> set[str]:
    said = _asked(f"{prometheus}/alerts") or {"alerts": []}
    return {alert["labels"]["alertname"] for alert in said["alerts"] if alert["state"] == "firing"}


@pytest.mark.slow
def test_rules_are_heard_when_something_is_wrong_and_not_before(tmp_path: Path) -> None:
    """The embedded run: the first input that is ever refused, and a severe one, fire; none has an error; nothing else fires."""
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus (Debian: prometheus) is not installed here")
    with Receivers() as receivers, Deployment(tmp_path, receivers) as deployment:
        deployment.start()
        key = deployment.make_keys(["FR01"])["FR01"]
        target = str(deployment._metrics).removeprefix("http://")
        with _prometheus(tmp_path, target) as prometheus:

            def counted() -> list[str]:
                wanted = 'toxwatch_dead_letters_total{reason="not-json"}'
                said = _asked(f"{prometheus}/query", query=wanted) or {"result": []}
                return [one["value"][1] for one in said["result"]]

            eventually(lambda: counted() == ["0"], 60, counted)
            assert _firing(prometheus) == set()
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
            body = b'{"data": {"grade": 5, "serious": true}'
            assert httpx2.post(f"{deployment.url}/v1/events", content=body, headers=headers).status_code == 422
            wanted = {"ToxwatchSevereInputRefused", "ToxwatchInputRefused"}
            eventually(lambda: _firing(prometheus) == wanted, 60, lambda: _firing(prometheus))
            groups = _asked(f"{prometheus}/rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert {rule["health"] for rule in rules} == {"ok"}
            assert len(rules) == 15
