"""Files beside the config are taken in while the gateway runs, and broken ones are not."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.faults.rig import Gateway, gateway_tables, stopping
from tests.integration.test_review import ask

ADVERT = {"to": "13800131101", "text": "春季酬宾，欢迎光临。", "category": "marketing"}


def holidays(today: str, tomorrow: str) -> str:
    """What sort of days these are, whenever the test runs."""
    date = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    return f"date,kind,note\n{date},{today},\n{date + timedelta(days=1)},{tomorrow},\n"


async def test_holidays_change_while_it_runs_and_a_broken_file_is_told_of_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "holidays.csv"
    file.write_text(holidays("working", "working"))
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="resend")
    tables["account"][0]["scopes"] = ["send", "read", "operate"]
    tables["category"]["marketing"]["hours"] = ["mon 00:00-24:00"]  # a working day counts as one, a day off does not
    tables["hours"] = {"holidays": str(file)}
    tables["category"]["marketing"]["valid_for_seconds"] = 2 * 86_400
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()

        async def verdict() -> str:
            status, answer = await ask(gateway, "POST", "/v1/explain", json=ADVERT)
            assert status == 200, answer
            return str(answer["verdict"])

        assert await verdict() == "accept"
        file.write_text(holidays("off", "working"))
        assert await ask(gateway, "POST", "/v1/reload") == (200, {"faults": []})
        assert await verdict() == "wait"
        file.write_text(holidays("perhaps", "working"))
        status, answer = await ask(gateway, "POST", "/v1/reload")
        assert (status, len(answer["faults"])) == (200, 1)
        assert "must be off or working" in answer["faults"][0]
        assert await verdict() == "wait"
        status, answer = await ask(gateway, "POST", "/v1/messages", json={**ADVERT, "valid_for_seconds": 1})
        assert (status, answer["code"]) == (422, "outside_hours")
        status, answer = await ask(gateway, "POST", "/v1/messages", json=ADVERT)
        assert (status, answer["status"]) == (202, "scheduled")
        assert await gateway.stop() == 0
