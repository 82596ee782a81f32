"""Tokens of programs as they are kept: a name, an owner, and a digest from which nobody gets the token back."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store.rows import Token, epoch, moment
from bot.store.tables import TOKENS


class TokenReading:
    """The part of a `Store` that reads tokens."""

    _reader: AsyncEngine

    async def token(self, digest: str) -> Token | None:
        """Return the token with this digest, also when it is revoked."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(TOKENS).where(TOKENS.c.digest == digest))
            row = found.one_or_none()
        if row is None:
            return None
        revoked = moment(row.revoked) if row.revoked else None
        return Token(row.name, row.owner, moment(row.created), revoked)

    async def nameless_tokens(self) -> list[str]:
        """Return the names of the tokens in use that name no owner."""
        async with self._reader.connect() as connection:
            found = await connection.execute(
                select(TOKENS.c.name)
                .where(TOKENS.c.owner == "", TOKENS.c.revoked.is_(None))
                .order_by(TOKENS.c.name)
            )
        return [str(row.name) for row in found]


class TokenWriting:
    """The part of one transaction that makes and revokes tokens."""

    _db: AsyncConnection

    async def put_token(self, name: str, digest: str, owner: str, now: datetime) -> None:
        """Keep a new token. Raises `KeyError` when the name is taken."""
        try:
            await self._db.execute(
                insert(TOKENS).values(name=name, digest=digest, owner=owner, created=epoch(now))
            )
        except IntegrityError as error:
            raise KeyError(name) from error

    async def revoke_token(self, name: str, now: datetime) -> bool:
        """Revoke a token, effective at once; False when there is none of that name."""
        changed = await self._db.execute(
            update(TOKENS)
            .where(TOKENS.c.name == name, TOKENS.c.revoked.is_(None))
            .values(revoked=epoch(now))
        )
        return changed.rowcount == 1
