"""What the look routes answer is put together by hand, for speed: it is what OpenAPI says they answer."""

from pydantic_core import to_json

from services.customers.policy.load import load
from services.customers.records.api import CustomerOut, CustomersOut, answered, shape
from services.customers.records.looks import Record
from services.customers.records.model import seen

POLICY = load()


def test_a_record_is_answered_as_its_contract_says() -> None:
    for purpose in POLICY.purposes:
        values = {"first_name": "Luís", "email": "luisg@embraer.com.br", "city": None}
        record = Record("sub_1", 3, "sub_2", seen(values, POLICY.sight(purpose)), "chg_1")
        body = to_json(shape(record))
        read = CustomerOut.model_validate_json(body, strict=True, extra="forbid")
        assert read.model_dump_json().encode() == body
        assert {name: one.level for name, one in read.fields.items()} == POLICY.levels(purpose)


def test_so_is_a_page() -> None:
    body = {"items": [shape(Record("sub_1", 1, "sub_2", {}))], "next": None, "purpose": "support"}
    answer = answered(body, version=7)
    assert (answer.media_type, answer.headers["etag"]) == ("application/json", '"7"')
    read = CustomersOut.model_validate_json(bytes(answer.body), strict=True, extra="forbid")
    assert read.model_dump_json().encode() == answer.body
