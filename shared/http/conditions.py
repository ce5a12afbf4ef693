"""`If-Match` of an update: a route asks for `SeenVersion`; its action requires it of the row that it locked."""

from typing import Annotated

from fastapi import Depends, Header

from shared.etag import Condition


async def seen_version(
    if_match: Annotated[str, Header(max_length=400, description="the ETag that you read", examples=['"3"'])] = "",
) -> Condition:
    """The condition; PreconditionRequiredError (428) without one."""
    return Condition.parse(if_match)


SeenVersion = Annotated[Condition, Depends(seen_version)]
