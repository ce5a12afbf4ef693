"""What a request covers and what it leaves out, in words: the same lines on the page, in the mails and in the package."""

from dataclasses import dataclass

from services.dsar.holder_words import all_called
from services.dsar.portal.texts import words
from services.dsar.requests.tables import DataRequest
from services.dsar.saga.claims import claims_of
from shared.work import Work


@dataclass(frozen=True)
class Coverage:
    """`records`: each covered record in a line; `left_out`: how many others share the address, as far as is known."""

    records: tuple[str, ...]
    left_out: int

    def lines(self, language: str) -> list[str]:
        """All of it, the left-out ones last: there is always a line about them."""
        key = "covers.not" if self.left_out else "covers.all" if self.records else "covers.none"
        return [*self.records, words(language, key, n=str(self.left_out))]


async def coverage_of(w: Work, request: DataRequest, language: str) -> Coverage:
    """By the number that the person gave, while it can still be read; always by the pseudonym that the certificate has too."""
    claims = {one.subject: one for one in await claims_of(w, request.id)}
    lines = []
    for subject in sorted(request.subjects):
        claim = claims.get(subject)
        if claim is None:
            lines.append(words(language, "covers.address", subject=subject))
        elif claim.staff:
            lines.append(words(language, "covers.desk", subject=subject))
        elif claim.said is None:
            lines.append(words(language, "covers.claimed", subject=subject))
        else:
            await w.unlock(request.id)
            number = w.open(type(claim).said, request.id, claim.said)
            lines.append(words(language, "covers.number", subject=subject, number=number))
    lines += [
        words(language, "covers.holder", subject=one, holders=all_called(who, language))
        for one, who in request.alone.items()
        if who
    ]
    return Coverage(tuple(lines), max(request.left_out, len(request.others)))
