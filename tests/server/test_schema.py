"""What the OpenAPI document says is what the server does: requests generated from it by schemathesis."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.server.conftest import TOKEN


def test_every_answer_is_as_the_document_describes_it(server):
    schema = schemathesis.openapi.from_url(
        f"{server.address}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    for operation in schema.get_all_operations():
        check(operation.ok().as_strategy())


def check(requests):
    @given(case=requests)
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        database=None,
    )
    def answers_as_described(case):
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

    answers_as_described()
