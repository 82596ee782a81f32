"""AWS Lambda as far as it is used: REST-JSON on loopback, spoken to by boto3, with the answers that AWS gives.

What moto does not do: every change gives a RevisionId of its own and a stale one is answered with 412, weights have a
range and their versions must exist, an update takes some looks, unchanged code publishes nothing new, provisioned
concurrency gets ready or fails, and an invocation of an alias really is drawn by its weights.
"""

import asyncio
import hashlib
import itertools
import json
import random
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

ROLE = "arn:aws:iam::123456789012:role/images"
_VERSIONS_PER_PAGE = 3
"""Few, so that everything that lists has to turn pages."""


@dataclass
class Version:
    """A published version, or `$LATEST`."""

    name: str
    sha: str
    description: str = ""
    image: str = ""
    role: str = ROLE
    dlq: str = ""
    state: str = "Active"
    reason: str = ""
    update: str = "Successful"
    update_reason: str = ""
    revision: str = ""
    provisioned: dict[str, Any] | None = None


@dataclass
class Alias:
    name: str
    version: str
    weights: dict[str, float] = field(default_factory=dict)
    description: str = ""
    revision: str = ""


@dataclass
class Fault:
    """What happens to the next calls of one operation; `""` is any."""

    operation: str
    code: str
    status: int
    times: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    """The change is made, and the connection drops before the answer."""


class AwsError(Exception):
    def __init__(self, code: str, status: int, text: str = "s3cret <!channel>") -> None:
        self.code, self.status, self.text = code, status, text


class FakeLambda:
    """One account with one function, `image-processor`, whose alias `live` points to its newest version."""

    def __init__(self, *, versions: int = 5, function: str = "image-processor") -> None:
        self.function = function
        self._ids = itertools.count(1)
        self.latest = Version("$LATEST", sha_of("code 5"), revision=self._id())
        self.versions: dict[str, Version] = {}
        for number in range(1, versions + 1):
            self.add(str(number), f"code {number}")
        self.aliases = {"live": Alias("live", str(versions), revision=self._id())}
        self.tags: dict[str, str] = {}
        self.images: set[str] | None = None
        """The images that can be pulled; None: any."""
        self.update_takes = 0
        """Looks at `$LATEST` until an update is done."""
        self.update_fails = ""
        self.warming_takes = 0
        self.warming_fails = False
        self.calls: list[str] = []
        self.broken: dict[str, float] = {}
        """Version -> the part of its invocations that raise."""
        self.answers: dict[str, Any] = {}
        """Version -> what it returns."""
        self.executes: dict[str, str] = {}
        """Version -> the one that answers in its place."""
        self.payloads: list[Any] = []
        self._faults: list[Fault] = []
        self._looks = 0
        self._draw = random.Random(7)
        self._runner: web.AppRunner | None = None

    # ---- what tests do ----------------------------------------------------------------------------------------------

    def add(self, name: str, code: str, **fields: Any) -> Version:
        self.versions[name] = Version(name, sha_of(code), revision=self._id(), **fields)
        return self.versions[name]

    def fail(
        self, code: str, status: int, *, operation: str = "", times: int = 1, **more: Any
    ) -> None:
        self._faults.append(Fault(operation, code, status, times, **more))

    def drop_after(self, operation: str, times: int = 1) -> None:
        """Make the change of the next calls, and drop the connection instead of answering."""
        self._faults.append(Fault(operation, "", 0, times, after=True))

    def heal(self) -> None:
        self._faults.clear()

    def edit(self, **fields: Any) -> None:
        """Change the alias as somebody else would."""
        alias = self.aliases["live"]
        for name, value in fields.items():
            setattr(alias, name, value)
        alias.revision = self._id()

    def wake(self) -> None:
        """Let what is being made be made."""
        for version in self.versions.values():
            version.state = "Active" if version.state == "Pending" else version.state

    @property
    def alias(self) -> Alias:
        return self.aliases["live"]

    @property
    def split(self) -> dict[str, float]:
        """Percent of each version behind the alias."""
        weights = {name: 100 * weight for name, weight in self.alias.weights.items()}
        return {self.alias.version: 100 - sum(weights.values())} | weights

    def changes(self) -> list[str]:
        return [name for name in self.calls if not name.startswith(("Get", "List"))]

    # ---- the server -------------------------------------------------------------------------------------------------

    async def start(self) -> str:
        app = web.Application(client_max_size=8 << 20)
        old, new = "/2015-03-31/functions/{function}", "/2019-09-30/functions/{function}"
        for method, path, operation in (
            ("GET", f"{old}/aliases/{{name}}", self._get_alias),
            ("PUT", f"{old}/aliases/{{name}}", self._update_alias),
            ("GET", old, self._get_function),
            ("GET", f"{old}/configuration", self._get_function_configuration),
            ("PUT", f"{old}/code", self._update_function_code),
            ("POST", f"{old}/versions", self._publish_version),
            ("GET", f"{old}/versions", self._list_versions_by_function),
            ("PUT", f"{new}/provisioned-concurrency", self._put_provisioned_concurrency_config),
            ("GET", f"{new}/provisioned-concurrency", self._get_provisioned_concurrency_config),
            (
                "DELETE",
                f"{new}/provisioned-concurrency",
                self._delete_provisioned_concurrency_config,
            ),
            ("POST", f"{old}/invocations", self._invoke),
        ):
            app.router.add_route(method, path, self._served(operation))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _served(self, operation: Any) -> Any:
        name = "".join(part.capitalize() for part in operation.__name__.split("_"))

        async def serve(request: web.Request) -> web.StreamResponse:
            self.calls.append(name)
            fault = next((one for one in self._faults if one.operation in {"", name}), None)
            if fault is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                if not fault.after:
                    return refusal(fault.code, fault.status, fault.headers)
            try:
                if request.match_info["function"] != self.function:
                    raise gone("Function not found")
                answer = await operation(request)
            except AwsError as error:
                answer = refusal(error.code, error.status, {}, error.text)
            if fault is not None:
                assert request.transport is not None
                request.transport.abort()
                await asyncio.sleep(0)
            return answer

        return serve

    def _id(self) -> str:
        number = next(self._ids)
        return f"00000000-0000-4000-8000-{number:012d}"

    # ---- aliases ----------------------------------------------------------------------------------------------------

    async def _get_alias(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._alias(request)))

    def _alias(self, request: web.Request) -> Alias:
        found = self.aliases.get(request.match_info["name"])
        if found is None:
            raise gone("Cannot find alias arn")
        return found

    def _shown(self, alias: Alias) -> dict[str, Any]:
        shown = {
            "AliasArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{self.function}:{alias.name}",
            "Name": alias.name,
            "FunctionVersion": alias.version,
            "Description": alias.description,
            "RevisionId": alias.revision,
        }
        if alias.weights:
            shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
        return shown

    async def _update_alias(self, request: web.Request) -> web.Response:
        alias, body = self._alias(request), await request.json()
        expected(body.get("RevisionId"), alias.revision)
        version = body.get("FunctionVersion", alias.version)
        weights = alias.weights
        if "RoutingConfig" in body:
            weights = body["RoutingConfig"].get("AdditionalVersionWeights", {})
        description = body.get("Description", alias.description)
        self._hold_routing(version, weights)
        if len(description) > 256:
            raise invalid("1 validation error detected: description must have length <= 256")
        before = (alias.version, alias.weights, alias.description)
        alias.version, alias.weights, alias.description = version, dict(weights), description
        if before != (alias.version, alias.weights, alias.description):
            alias.revision = self._id()
        return web.json_response(self._shown(alias))

    def _hold_routing(self, version: str, weights: dict[str, float]) -> None:
        for name in (version, *weights):
            if name not in self.versions and not (name == "$LATEST" and not weights):
                raise gone(f"Function not found: {self.function}:{name}")
        if version in weights or len(weights) > 1:
            raise invalid("an alias routes to two different versions at most")
        if any(not 0 <= weight <= 1 for weight in weights.values()):
            raise invalid("weights are from 0.0 to 1.0")
        both = [self.versions[name] for name in (version, *weights) if name in self.versions]
        if len({(one.role, one.dlq) for one in both}) > 1:
            raise invalid("versions behind one alias must have the same role and dead letter queue")

    # ---- the function and its versions ------------------------------------------------------------------------------

    def _qualified(self, request: web.Request) -> Version:
        name = request.query.get("Qualifier", "$LATEST")
        if name in self.aliases:
            name = self.aliases[name].version
        found = self.latest if name == "$LATEST" else self.versions.get(name)
        if found is None:
            raise gone(f"Function not found: {self.function}:{name}")
        return found

    def _configuration(self, about: Version) -> dict[str, Any]:
        return {
            "FunctionName": self.function,
            "Version": about.name,
            "Role": about.role,
            "Description": about.description,
            "CodeSha256": about.sha,
            "PackageType": "Image" if about.image else "Zip",
            "RevisionId": about.revision,
            "State": about.state,
            "LastUpdateStatus": about.update,
            **({"StateReasonCode": about.reason} if about.reason else {}),
            **({"LastUpdateStatusReasonCode": about.update_reason} if about.update_reason else {}),
            **({"DeadLetterConfig": {"TargetArn": about.dlq}} if about.dlq else {}),
        }

    async def _get_function(self, request: web.Request) -> web.Response:
        about = self._qualified(request)
        code = {"ImageUri": about.image} if about.image else {"RepositoryType": "S3"}
        answer = {"Configuration": self._configuration(about), "Code": code, "Tags": self.tags}
        return web.json_response(answer)

    async def _get_function_configuration(self, request: web.Request) -> web.Response:
        about = self._qualified(request)
        if about is self.latest:
            self._look()
        return web.json_response(self._configuration(about))

    def _look(self) -> None:
        if self.latest.update != "InProgress":
            return
        self._looks += 1
        if self._looks > self.update_takes:
            self.latest.update = "Failed" if self.update_fails else "Successful"
            self.latest.update_reason = self.update_fails
            self.latest.revision = self._id()

    async def _update_function_code(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.latest.update == "InProgress":
            raise AwsError("ResourceConflictException", 409, "an update is in progress")
        expected(body.get("RevisionId"), self.latest.revision)
        place = body.get("ImageUri") or f"s3://{body['S3Bucket']}/{body['S3Key']}"
        if self.images is not None and place not in self.images:
            raise invalid(f"Source image {place} does not exist. Provide a valid source image.")
        if body.get("DryRun"):
            return web.json_response(
                self._configuration(
                    Version("$LATEST", sha_of(place), image=body.get("ImageUri", ""))
                )
            )
        if not self.update_fails:
            self.latest.sha, self.latest.image = sha_of(place), body.get("ImageUri", "")
        self.latest.update, self._looks = "InProgress", 0
        self.latest.revision = self._id()
        return web.json_response(self._configuration(self.latest))

    async def _publish_version(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.latest.update == "InProgress":
            raise AwsError("ResourceConflictException", 409, "an update is in progress")
        expected(body.get("RevisionId"), self.latest.revision)
        if body.get("CodeSha256") not in {None, self.latest.sha}:
            raise invalid("CodeSHA256 is not that of $LATEST")
        newest = max(self.versions.values(), key=lambda one: int(one.name), default=None)
        if newest is None or (newest.sha, newest.role) != (self.latest.sha, self.latest.role):
            name = str(int(newest.name) + 1 if newest else 1)
            newest = Version(
                name,
                self.latest.sha,
                body.get("Description", self.latest.description),
                self.latest.image,
                self.latest.role,
                self.latest.dlq,
                revision=self._id(),
            )
            self.versions[name] = newest
        return web.json_response(self._configuration(newest), status=201)

    async def _list_versions_by_function(self, request: web.Request) -> web.Response:
        start = int(request.query.get("Marker", 0))
        every = [self.latest, *sorted(self.versions.values(), key=lambda one: int(one.name))]
        size = min(_VERSIONS_PER_PAGE, int(request.query.get("MaxItems", 50)))
        page = [self._configuration(one) for one in every[start : start + size]]
        more = {"NextMarker": str(start + size)} if start + size < len(every) else {}
        return web.json_response({"Versions": page, **more})

    # ---- provisioned concurrency ------------------------------------------------------------------------------------

    def _provisionable(self, request: web.Request) -> Version:
        about = self._qualified(request)
        if about is self.latest:
            raise invalid(
                "Provisioned Concurrency Configs cannot be applied to unpublished versions."
            )
        return about

    async def _put_provisioned_concurrency_config(self, request: web.Request) -> web.Response:
        about, body = self._provisionable(request), await request.json()
        about.provisioned = {
            "RequestedProvisionedConcurrentExecutions": body["ProvisionedConcurrentExecutions"],
            "Status": "IN_PROGRESS",
            "looks": 0,
        }
        return web.json_response(self._warmth(about), status=202)

    async def _get_provisioned_concurrency_config(self, request: web.Request) -> web.Response:
        about = self._provisionable(request)
        if about.provisioned is None:
            raise AwsError("ProvisionedConcurrencyConfigNotFoundException", 404)
        if about.provisioned["Status"] == "IN_PROGRESS":
            about.provisioned["looks"] += 1
            if about.provisioned["looks"] > self.warming_takes:
                about.provisioned["Status"] = "FAILED" if self.warming_fails else "READY"
        return web.json_response(self._warmth(about))

    @staticmethod
    def _warmth(about: Version) -> dict[str, Any]:
        assert about.provisioned is not None
        shown = {key: value for key, value in about.provisioned.items() if key != "looks"}
        if shown["Status"] == "FAILED":
            shown["StatusReason"] = "s3cret <!channel>"
        return shown

    async def _delete_provisioned_concurrency_config(self, request: web.Request) -> web.Response:
        about = self._provisionable(request)
        if about.provisioned is None:
            raise AwsError("ProvisionedConcurrencyConfigNotFoundException", 404)
        about.provisioned = None
        return web.Response(status=204)

    # ---- invoking ---------------------------------------------------------------------------------------------------

    async def _invoke(self, request: web.Request) -> web.Response:
        name = request.query.get("Qualifier", "$LATEST")
        body = await request.read()
        if len(body) > 6 << 20:
            raise AwsError("RequestTooLargeException", 413)
        executed = self._drawn(name)
        if executed not in self.versions and executed != "$LATEST":
            raise gone(f"Function not found: {self.function}:{executed}")
        self.payloads.append(json.loads(body or b"null"))
        executed = self.executes.get(executed, executed)
        headers = {"X-Amz-Executed-Version": executed}
        if self._draw.random() < self.broken.get(executed, 0.0):
            headers["X-Amz-Function-Error"] = "Unhandled"
            return web.json_response({"errorMessage": "s3cret <!channel>"}, headers=headers)
        return web.json_response(self.answers.get(executed, {"ok": True}), headers=headers)

    def _drawn(self, name: str) -> str:
        if name not in self.aliases:
            return name
        drawn, alias = self._draw.random(), self.aliases[name]
        for version, weight in alias.weights.items():
            if drawn < weight:
                return version
            drawn -= weight
        return alias.version


def sha_of(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def expected(given: str | None, found: str) -> None:
    if given is not None and given != found:
        raise AwsError("PreconditionFailedException", 412, "The RevisionId provided does not match")


def gone(text: str) -> AwsError:
    return AwsError("ResourceNotFoundException", 404, text)


def invalid(text: str) -> AwsError:
    return AwsError("InvalidParameterValueException", 400, text)


def refusal(
    code: str, status: int, headers: dict[str, str], text: str = "s3cret <!channel>"
) -> web.Response:
    body = {"Type": "User", "Message": text}
    return web.json_response(body, status=status, headers={"x-amzn-ErrorType": code, **headers})
