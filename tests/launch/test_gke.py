"""gke.yaml is a JobSet that Kubernetes takes, for all chips of a slice; a damaged one is not."""

import math

import jsonschema
import kubernetes_validate
import pytest
import yaml
from machines import LAUNCH

from jaxcap.main import flags

TEXT = (LAUNCH / "gke.yaml").read_text()


def fields(**of):
    """The schema of an object with these fields and no others."""
    required, closed = list(of), {"additionalProperties": False}
    return {"type": "object", "properties": of, "required": required, **closed}


NAME = {"type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$"}
COUNT = {"type": "integer", "minimum": 1}
# What the file uses of https://jobset.sigs.k8s.io/docs/reference/jobset.v1alpha2/
JOB_SET = fields(
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata=fields(
        name=NAME,
        annotations=fields(
            **{
                "alpha.jobset.sigs.k8s.io/exclusive-topology": {
                    "const": "cloud.google.com/gke-nodepool"
                }
            }
        ),
    ),
    spec=fields(
        failurePolicy=fields(maxRestarts=COUNT),
        replicatedJobs={
            "type": "array",
            "minItems": 1,
            "items": fields(name=NAME, replicas=COUNT, template={"type": "object"}),
        },
    ),
)


def checked(text):
    """The Job inside, after JobSet's own fields and all of the Job's were checked."""
    job_set = yaml.safe_load(text)
    jsonschema.validate(job_set, JOB_SET)
    (replicated,) = job_set["spec"]["replicatedJobs"]
    name = f"{job_set['metadata']['name']}-{replicated['name']}-0"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
    job |= replicated["template"]
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    return job


def pod_and_container(job):
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def test_it_is_a_valid_job_set():
    checked(TEXT)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("jobset.x-k8s.io/v1alpha2", "jobset.x-k8s.io/v1"),
        ("exclusive-topology:", "exclusive-topolgy:"),
        ("failurePolicy:", "failPolicy:"),
        ("maxRestarts: 100", "maxRestarts: many"),
        ("replicas: 1", "replica: 1"),
        ("backoffLimit:", "backOffLimit:"),
        ("completions: 4", "completions: four"),
        ("terminationGracePeriodSeconds:", "terminationGraceSeconds:"),
        ("workingDir:", "workDir:"),
        ("containerPort: 8431", "port: 8431"),
        ("limits:", "limit:"),
        ("mountPath:", "mountpath:"),
        ("claimName:", "claim:"),
        ("- name: JAX_COMPILATION_CACHE_DIR", "- key: JAX_COMPILATION_CACHE_DIR"),
        ("              volumes:", "          volumes:"),
    ],
)
def test_a_damaged_copy_is_refused(right, wrong):
    damaged = TEXT.replace(right, wrong)
    assert damaged != TEXT
    with pytest.raises(jsonschema.ValidationError):
        checked(damaged)


def test_a_pod_for_each_host_and_all_chips_of_the_slice():
    job = checked(TEXT)
    pod, container = pod_and_container(job)
    topology = pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"]
    chips = math.prod(int(side) for side in topology.split("x"))
    assert job["spec"]["parallelism"] == job["spec"]["completions"]
    on_each = container["resources"]["limits"]["google.com/tpu"]
    assert job["spec"]["parallelism"] * on_each == chips


def test_what_is_lost_starts_again_as_a_whole():
    """A pod that stops fails its Job at once, and JobSet starts all of them anew."""
    job = checked(TEXT)
    pod, _ = pod_and_container(job)
    assert job["spec"]["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] >= 60  # to save in; the default is 30


def test_the_command_is_that_of_the_other_files_and_its_paths_are_mounted():
    pod, container = pod_and_container(checked(TEXT))
    start, words = container["command"][:3], container["command"][3:]
    assert start == ["python", "-m", "jaxcap.main"]
    given = dict(word.removeprefix("--").partition("=")[::2] for word in words)
    assert given.keys() == {"distributed", "config", "workdir"} <= set(flags.FLAGS)
    assert (LAUNCH.parent / given["config"]).is_file()
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == volumes
    kept = [given["workdir"], *(setting["value"] for setting in container["env"])]
    assert all(path.startswith(f"{mounts['shared']}/") for path in kept)
