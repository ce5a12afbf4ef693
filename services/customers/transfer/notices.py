"""What whoever imports a file should know of its rows: how many, which, what to do. Rows and columns, never a value."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.customers.transfer.model import OWNER, Place, Places

ROWS_NAMED_MAX = 10  # in a sentence

Code = Literal["unowned", "forgotten", "different", "shared_address", "unusable", "spreadsheet_error"]
SAYS: dict[Code, str] = {
    "unowned": f"nobody on the staff has this {OWNER}: nobody can see these customers until somebody has it",
    "forgotten": "these people were forgotten, and stay so; say `returning` if they are customers again, and answer for it",
    "different": "these are there already, with other values, which stay. Correct the record, if the file is right",
    "shared_address": "another customer has this address too; if it is one person, each record must be corrected and erased",
    "unusable": "this is kept as it was written, but nobody is found by it",
    "spreadsheet_error": "the spreadsheet shows an error here instead of a value; it counts as empty",
}


class Notice(BaseModel):
    """Of some rows of a file. `places`: the first hundred of `count`; a row counts from 1 below the header."""

    model_config = ConfigDict(frozen=True)

    code: Code
    count: int
    says: str = Field(examples=[SAYS["different"]])
    places: list[Place]

    def rows(self) -> str:
        """rows 1, 2, 7 and 12 more."""
        named = ", ".join(str(one.row) for one in self.places[:ROWS_NAMED_MAX])
        more = self.count - min(len(self.places), ROWS_NAMED_MAX)
        return f"row{'' if self.count == 1 else 's'} {named}" + (f" and {more} more" if more else "")


def notice(code: Code, found: Places) -> Notice:
    """Of these rows; its `count` may be 0."""
    return Notice(code=code, count=found.count, says=SAYS[code], places=found.first)


def refusal(of: Notice) -> str:
    """Why a file with unowned rows is not taken in, and what to do."""
    return (
        f"{of.rows()}, column {OWNER}: nobody on the staff has this number, so nobody could see these customers. Correct it; "
        "or say `unowned`, and they show up when somebody has it"
    )
