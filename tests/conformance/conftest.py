"""Stock tritonclient clients of the five services, and their models' facts."""

import pytest
import tritonclient.grpc as triton

from tests.conformance.samples import inputs_of


class Stock:
    """One service through `tritonclient.grpc`."""

    def __init__(self, target):
        self.target = target
        self.client = triton.InferenceServerClient(target)
        self._facts = {}

    def facts(self, model):
        if model not in self._facts:
            parameters = self.client.get_model_config(model).config.parameters
            self._facts[model] = {name: value.string_value for name, value in parameters.items()}
        return self._facts[model]

    def arrays(self, sample):
        return sample.arrays(self.facts(sample.model))

    def infer(self, sample, arrays=None, **options):
        """The sample's request, with other `arrays` or options where they are given."""
        options = {"parameters": dict(sample.parameters), "client_timeout": 120, **options}
        return self.client.infer(sample.model, inputs_of(self.arrays(sample) if arrays is None else arrays), **options)


@pytest.fixture(scope="session")
def stock(model_services):
    """Service name → Stock."""
    clients = {name: Stock(service.target) for name, service in model_services.items()}
    yield clients
    for one in clients.values():
        one.client.close()
