"""The methods of Slack's Web API that a deploy bot calls, answered from the memory of a `Chat`.

Level with Slack on what goes wrong: the same error codes, and every payload is checked against the limits before
anything is stored. A method takes its arguments as a mapping and returns what goes beside `"ok": true`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bot.sandbox.chat import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    TEAM,
    Channel,
    Chat,
    Message,
    Person,
    message_json,
)
from bot.sandbox.views import Views
from bot.slack.limits import problems

Args = Mapping[str, Any]
_NESTED = ("blocks", "metadata", "view")
_PAGE = 100


class Refused(Exception):  # noqa: N818 - it is an answer of Slack, not an accident
    """The method answers `"ok": false` with this error."""

    def __init__(self, error: str, messages: list[str] | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages or []

    def body(self) -> dict[str, Any]:
        """Return the answer as Slack words it."""
        told = [f"[ERROR] {message}" for message in self.messages]
        return {"ok": False, "error": self.error} | (
            {"response_metadata": {"messages": told}} if told else {}
        )


class Files(Protocol):
    """The methods about files, and whether a block may show one."""

    methods: Mapping[str, Callable[[Args], dict[str, Any]]]

    def permit(self, blocks: Any) -> None:
        """Raise `Refused` for a file that cannot be shown."""
        ...


class WebApi:
    """Answers the calls of the one bot in the workspace."""

    def __init__(self, chat: Chat, views: Views, url: Callable[[], str], files: Files) -> None:
        self._chat = chat
        self._views = views
        self._url = url
        self._files = files
        self._methods: dict[str, Callable[[Args], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "bots.info": self._bot,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.delete": self._delete,
            "chat.getPermalink": self._permalink,
            "conversations.info": self._conversation,
            "conversations.open": self._open_direct,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "usergroups.list": self._groups,
            "usergroups.users.list": self._group_users,
            "users.info": self._user,
            "views.open": self._open_view,
            "views.update": self._update_view,
            "views.publish": self._publish_view,
            "reactions.add": self._react,
            **files.methods,
        }

    def call(self, method: str, args: Args) -> dict[str, Any]:
        """Do what the method says and return Slack's answer, `ok` or not."""
        run = self._methods.get(method)
        if run is None:
            return Refused("unknown_method").body()
        try:
            return {"ok": True, **run(_decoded(args))}
        except Refused as refusal:
            return refusal.body()

    def _auth_test(self, _: Args) -> dict[str, Any]:
        me = {"user": "sluice", "user_id": BOT_USER, "bot_id": BOT_ID}
        return {"url": f"{self._url()}/", "team": "Sandbox", "team_id": TEAM, **me}

    def _bot(self, args: Args) -> dict[str, Any]:
        if args.get("bot") != BOT_ID:
            raise Refused("bot_not_found")
        return {"bot": {"id": BOT_ID, "app_id": APP_ID, "user_id": BOT_USER, "name": "sluice"}}

    def _post_message(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args, writing=True)
        accept(args)
        self._files.permit(args.get("blocks"))
        root = self._thread(channel, args)
        message = self._chat.post(
            Message(
                self._chat.now(),
                channel.id,
                BOT_USER,
                args["text"],
                tuple(args.get("blocks") or ()),
                thread_ts=root,
                broadcast=bool(root) and truth(args.get("reply_broadcast")),
                metadata=args.get("metadata") or {},
            )
        )
        return self._stored(message)

    def _update(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args, writing=True)
        message = self._message(channel, args.get("ts"))
        if message.user != BOT_USER:
            raise Refused("cant_update_message")
        accept(args)
        self._files.permit(args.get("blocks"))
        changes: dict[str, Any] = {"text": args["text"], "blocks": tuple(args.get("blocks") or ())}
        if args.get("metadata") is not None:
            changes["metadata"] = args["metadata"]
        return self._stored(self._chat.edit(message, **changes, edited=self._chat.now()))

    def _post_ephemeral(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args, writing=True)
        if args.get("user") not in self._chat.people:
            raise Refused("user_not_in_channel")
        accept(args)
        blocks = tuple(args.get("blocks") or ())
        message = Message(self._chat.now(), channel.id, BOT_USER, args["text"], blocks)
        root = self._thread(channel, args)
        self._chat.edit(message, only_for=args["user"], thread_ts=root)
        return {"message_ts": message.ts}

    def _delete(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args)
        message = self._message(channel, args.get("ts"))
        if message.user != BOT_USER:
            raise Refused("cant_delete_message")
        self._chat.delete(message)
        return {"channel": channel.id, "ts": message.ts}

    def _permalink(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args)
        message = self._message(channel, args.get("message_ts"))
        link = f"{self._url()}/archives/{channel.id}/p{message.ts.replace('.', '')}"
        thread = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.thread_ts else ""
        return {"channel": channel.id, "permalink": link + thread}

    def _conversation(self, args: Args) -> dict[str, Any]:
        return {"channel": _channel_json(self._channel(args))}

    def _open_direct(self, args: Args) -> dict[str, Any]:
        user = str(args.get("users", ""))
        if user not in self._chat.people:
            raise Refused("user_not_found")
        return {"channel": {"id": self._chat.direct(user).id}}

    def _history(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args)
        newest_first = list(self._chat.history(channel.id))[::-1]
        return self._page(newest_first, args)

    def _replies(self, args: Args) -> dict[str, Any]:
        channel = self._channel(args)
        if self._chat.find(channel.id, str(args.get("ts"))) is None:
            raise Refused("thread_not_found")
        root = self._chat.messages[self._chat.root(args["ts"])]
        return self._page([root, *self._chat.replies(root.ts)], args)

    def _page(self, messages: list[Message], args: Args) -> dict[str, Any]:
        oldest, latest = str(args.get("oldest") or "0"), str(args.get("latest") or "9" * 10)
        inclusive = truth(args.get("inclusive"))
        within = [
            m
            for m in messages
            if float(oldest) < float(m.ts) < float(latest)
            or (inclusive and m.ts in {oldest, latest})
        ]
        start = _number(args, "cursor", 0)
        end = start + _number(args, "limit", _PAGE)
        metadata = truth(args.get("include_all_metadata"))
        shown = [message_json(self._chat, m, metadata=metadata) for m in within[start:end]]
        more = end < len(within)
        cursor = {"next_cursor": str(end) if more else ""}
        return {"messages": shown, "has_more": more, "response_metadata": cursor}

    def _groups(self, args: Args) -> dict[str, Any]:
        groups = []
        for group in self._chat.groups.values():
            shown = {"id": group.id, "handle": group.handle, "name": group.handle, "team_id": TEAM}
            shown["updated_by"] = group.updated_by
            users = {"users": list(group.users)} if truth(args.get("include_users")) else {}
            groups.append({**shown, "user_count": len(group.users), "date_delete": 0, **users})
        return {"usergroups": groups}

    def _group_users(self, args: Args) -> dict[str, Any]:
        group = self._chat.groups.get(str(args.get("usergroup")))
        if group is None:
            raise Refused("no_such_subteam")
        return {"users": list(group.users)}

    def _user(self, args: Args) -> dict[str, Any]:
        person = self._chat.people.get(str(args.get("user")))
        if person is None:
            raise Refused("user_not_found")
        return {"user": _person_json(person)}

    def _open_view(self, args: Args) -> dict[str, Any]:
        user, why = self._views.redeem(str(args.get("trigger_id")))
        if why:
            raise Refused(why)
        accept({"view": args.get("view")})
        return self._viewed(self._views.show(user, args["view"]))

    def _update_view(self, args: Args) -> dict[str, Any]:
        found = [
            view
            for view in self._views.open.values()
            if view["id"] == args.get("view_id")
            or (view["external_id"] and view["external_id"] == args.get("external_id"))
        ]
        if not found:
            raise Refused("not_found")
        _same_hash(found[0], args)
        accept({"view": args.get("view")})
        return self._viewed(self._views.change(found[0], args["view"]))

    def _publish_view(self, args: Args) -> dict[str, Any]:
        user = str(args.get("user_id"))
        if user not in self._chat.people:
            raise Refused("user_not_found")
        _same_hash(self._views.homes.get(user), args)
        accept({"view": args.get("view")})
        return self._viewed(self._views.show(user, args["view"]))

    def _viewed(self, view: dict[str, Any]) -> dict[str, Any]:
        self._chat.revision += 1
        return {"view": {key: value for key, value in view.items() if key != "user"}}

    def _react(self, args: Args) -> dict[str, Any]:
        message = self._message(self._channel(args), args.get("timestamp"))
        name = str(args.get("name", ""))
        if name in message.reactions:
            raise Refused("already_reacted")
        self._chat.edit(message, reactions=(*message.reactions, name))
        return {}

    def _channel(self, args: Args, *, writing: bool = False) -> Channel:
        asked = str(args.get("channel", ""))
        # A message to a person's id goes to the direct messages with them.
        known = asked in self._chat.people and writing
        channel = self._chat.direct(asked) if known else self._chat.channels.get(asked)
        if channel is None:
            raise Refused("channel_not_found")
        if writing and channel.is_archived:
            raise Refused("is_archived")
        if writing and not channel.is_member:
            raise Refused("not_in_channel")
        return channel

    def _message(self, channel: Channel, ts: Any) -> Message:
        message = self._chat.find(channel.id, str(ts))
        if message is None:
            raise Refused("message_not_found")
        return message

    def _thread(self, channel: Channel, args: Args) -> str:
        asked = args.get("thread_ts")
        if not asked:
            return ""
        if self._chat.find(channel.id, str(asked)) is None:
            raise Refused("thread_not_found")
        return self._chat.root(str(asked))

    def _stored(self, message: Message) -> dict[str, Any]:
        shown = message_json(self._chat, message, metadata=True)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": shown,
        }


def accept(payload: Args) -> None:
    """Raise `Refused` with Slack's error for a payload over the limits."""
    found = problems(payload)
    if not found:
        return
    if "view" in payload:
        raise Refused("invalid_arguments", found)
    if any("[json-pointer:/blocks" in problem for problem in found):
        raise Refused("invalid_blocks", found)
    if any("[json-pointer:/metadata" in problem for problem in found):
        raise Refused("invalid_metadata_format", found)
    raise Refused("msg_too_long" if payload.get("text") else "no_text", found)


def truth(value: Any) -> bool:
    """Read a flag as forms, queries and JSON write it."""
    return value is True or str(value).lower() in {"1", "true"}


def _decoded(args: Args) -> dict[str, Any]:
    decoded = dict(args)
    for name in _NESTED:
        if isinstance(decoded.get(name), str):
            try:
                decoded[name] = json.loads(decoded[name])
            except ValueError:
                raise Refused(f"invalid_{name}_format") from None
    return decoded


def _number(args: Args, name: str, default: int) -> int:
    given = str(args.get(name) or default)
    if not given.isdecimal():
        raise Refused(f"invalid_{name}")
    return int(given)


def _same_hash(view: Mapping[str, Any] | None, args: Args) -> None:
    if args.get("hash") and (view is None or view["hash"] != args["hash"]):
        raise Refused("hash_conflict")


def _channel_json(channel: Channel) -> dict[str, Any]:
    direct = channel.id.startswith("D")
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not direct,
        "is_im": direct,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_member": channel.is_member,
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_pending_ext_shared": channel.is_pending_ext_shared,
    }


def _person_json(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name.lower(),
        "real_name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": person.is_stranger,
        "is_admin": person.is_admin,
        "is_owner": False,
        "is_invited_user": False,
        "tz": "Etc/UTC",
        "profile": {
            "display_name": person.name,
            "real_name": person.name,
            "title": person.title,
        },
    }
