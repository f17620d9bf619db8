"""The example files of Kubernetes and Docker Compose: valid, and nothing of them open."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from api.server.metrics import Metrics
from indexer.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUBERNETES = "1.33"  # the newest of which every cloud has had clusters for a year
# Of operators that bring their own schemas; and kustomize's own file.
FOREIGN = ("monitoring.coreos.com/", "kustomize.config.k8s.io/")


def documents() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text("utf-8"))


EVERY = [each for each in documents() if not each["apiVersion"].startswith(FOREIGN)]


def named(name: str) -> dict[str, Any]:
    (found,) = [d for d in documents() if d.get("metadata", {}).get("name") == name]
    return found


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


def pod_specs() -> list[dict[str, Any]]:
    job = of_kind("CronJob")["spec"]["jobTemplate"]["spec"]
    return [of_kind("Deployment")["spec"]["template"]["spec"], job["template"]["spec"]]


@pytest.mark.parametrize(
    "document", EVERY, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}"
)
def test_kubernetes_takes_them(document: dict[str, Any]) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="needs: pip install kubernetes-validate"
    ).validate
    validate(document, KUBERNETES, strict=True)


def test_they_name_each_other() -> None:
    listed = set(of_kind("Kustomization")["resources"])
    assert listed | {"monitoring.yaml", "kustomization.yaml"} == {p.name for p in FOLDER.iterdir()}
    deployment = of_kind("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        of_kind("PodMonitor")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    scaler = of_kind("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]  # else each `apply` undoes the autoscaler
    volumes = {each["name"] for each in pod_specs()[0]["volumes"]}
    for container in [*pod_specs()[0]["initContainers"], *pod_specs()[0]["containers"]]:
        assert {each["name"] for each in container["volumeMounts"]} == volumes
    claims = of_kind("PersistentVolumeClaim")
    (home,) = [v for v in pod_specs()[0]["volumes"] if "persistentVolumeClaim" in v]
    assert home["persistentVolumeClaim"]["claimName"] == claims["metadata"]["name"]


def test_the_autoscaler_counts_what_the_server_measures() -> None:
    pods, _ = of_kind("HorizontalPodAutoscaler")["spec"]["metrics"]
    name = pods["pods"]["metric"]["name"]
    assert f"\n{name} " in Metrics().text().decode()
    assert name in named("lapel-adapter-rule")["data"]["rule.yaml"]


def test_containers_may_do_little() -> None:
    for spec in pod_specs():
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec["automountServiceAccountToken"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            allowed = container["securityContext"]
            assert not allowed["allowPrivilegeEscalation"]
            assert allowed["readOnlyRootFilesystem"]
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert re.search(r":\d", container["image"])


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return read


def test_every_setting_is_one() -> None:
    known = {f"LAPEL_{name.upper()}" for name in Settings.model_fields} | {"LAPEL_RATE_PER_MINUTE"}
    said: set[str] = set()
    said |= set(named("lapel-settings")["data"])
    for container in pod_specs()[0]["containers"]:
        said |= {each["name"] for each in container["env"]}
    for service in compose()["services"].values():
        said |= {name for name in service.get("environment", {}) if name.startswith("LAPEL_")}
    assert said <= known


def test_compose_opens_nothing_but_to_this_machine() -> None:
    services = compose()["services"]
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service.get("image", "") == "lapel" or re.search(r":v?\d|:RELEASE", service["image"])
        for other in service.get("depends_on", {}):
            assert other in services
    assert compose()["networks"]["inside"]["internal"]


def test_compose_starts_one_server_or_many() -> None:
    services = compose()["services"]
    plain = {name for name, service in services.items() if "profiles" not in service}
    assert plain == {"database", "api"}
    assert {name for name in services if services[name].get("profiles") == ["scale"]} == (
        set(services) - plain
    )
    volumes = {each.partition(":")[0] for s in services.values() for each in s.get("volumes", [])}
    assert volumes == set(compose()["volumes"])
    environment = services["worker"]["environment"]
    assert environment.items() > services["api"]["environment"].items()
    assert "ports" not in services["worker"]  # several could not share one of the host's
