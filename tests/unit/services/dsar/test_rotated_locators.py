"""A request across a rotation of the locators' key."""

from services.dsar.requests.tables import DataRequest
from services.dsar.saga.model import leads_somewhere


def test_holders_are_asked_by_the_locators_of_every_live_version() -> None:
    assert DataRequest(locator="loc_2_a", locators=["loc_2_a", "loc_1_a"]).asked_by == ["loc_2_a", "loc_1_a"]
    assert DataRequest(locator="loc_1_a", locators=[]).asked_by == ["loc_1_a"], "of a process of the version before"


def test_a_record_is_asked_about_anew_when_all_its_locators_are_of_trimmed_versions() -> None:
    assert leads_somewhere(["loc_1_a", "loc_2_b"], oldest=2)
    assert leads_somewhere(["loc_1_a"], oldest=1)
    assert not leads_somewhere(["loc_1_a", "loc_2_b"], oldest=3)
    assert leads_somewhere([], oldest=3), "there is nothing to name it by"
