"""The documented fields of the objects that KEDA and the Prometheus operator define, as strict models.

Their schemas are in no package of ours; Kubernetes' own (tests/unit/deploy/test_kubernetes_schemas.py) are.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Number = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?$")]  # KEDA's metadata are strings
Switch = Literal["true", "false"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: str
    namespace: str
    labels: dict[str, str] = {}


class ScaleTarget(Strict):
    name: str
    apiVersion: str = "apps/v1"  # noqa: N815
    kind: str = "Deployment"


class Fallback(Strict):
    failureThreshold: int = Field(ge=0)  # noqa: N815
    replicas: int = Field(ge=0)
    behavior: Literal["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"] = "static"


class AutoscalerConfig(Strict):
    name: str | None = None
    behavior: dict[str, Any] | None = None  # checked against Kubernetes' HorizontalPodAutoscaler


class Advanced(Strict):
    restoreToOriginalReplicaCount: bool = False  # noqa: N815
    horizontalPodAutoscalerConfig: AutoscalerConfig | None = None  # noqa: N815


class PrometheusMetadata(Strict):
    serverAddress: str = Field(pattern=r"^https?://[a-z0-9.-]+(:\d+)?")  # noqa: N815
    query: str
    threshold: Number
    activationThreshold: Number | None = None  # noqa: N815
    ignoreNullValues: Switch = "true"  # noqa: N815
    unsafeSsl: Switch = "false"  # noqa: N815


class PrometheusTrigger(Strict):
    type: Literal["prometheus"]
    name: str | None = None
    metricType: Literal["AverageValue", "Value"] = "AverageValue"  # noqa: N815
    useCachedMetrics: bool = False  # noqa: N815
    metadata: PrometheusMetadata


class ScaledObjectSpec(Strict):
    scaleTargetRef: ScaleTarget  # noqa: N815
    pollingInterval: int = Field(30, gt=0)  # noqa: N815
    cooldownPeriod: int = Field(300, ge=0)  # noqa: N815
    minReplicaCount: int = Field(0, ge=0)  # noqa: N815
    maxReplicaCount: int = Field(100, ge=1)  # noqa: N815
    fallback: Fallback | None = None
    advanced: Advanced | None = None
    triggers: list[PrometheusTrigger] = Field(min_length=1)


class ScaledObject(Strict):
    apiVersion: Literal["keda.sh/v1alpha1"]  # noqa: N815
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledObjectSpec


class PodEndpoint(Strict):
    port: str
    path: str = "/metrics"
    interval: str = Field("30s", pattern=r"^\d+(ms|s|m|h)$")


class PodMonitorSpec(Strict):
    selector: dict[str, Any]
    podMetricsEndpoints: list[PodEndpoint] = Field(min_length=1)  # noqa: N815


class PodMonitor(Strict):
    apiVersion: Literal["monitoring.coreos.com/v1"]  # noqa: N815
    kind: Literal["PodMonitor"]
    metadata: Metadata
    spec: PodMonitorSpec


MODELS = {"ScaledObject": ScaledObject, "PodMonitor": PodMonitor}
