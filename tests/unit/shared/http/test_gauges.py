"""The text that Prometheus reads."""

from shared.http.gauges import Gauge, text_of


def test_gauges_of_one_name_stand_under_its_type() -> None:
    text = text_of(
        [Gauge("b", {}, 1), Gauge("a", {"topic": 'x"\\\n', "partition": "0"}, 12_345_678), Gauge("a", {"topic": "w"}, 0)]
    )
    assert text == ('# TYPE a gauge\na{topic="w"} 0\na{topic="x\\"\\\\\\n",partition="0"} 12345678\n# TYPE b gauge\nb 1\n')
