"""A bot as the command line sees it: one loopback port that answers `POST /api/v1/commands` by script."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Asked:
    path: str
    token: str
    body: dict


class Rest:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.status = 200
        self.body: object = {"code": "ok", "sentence": "Done.", "kind": "done"}
        self.raw: bytes | None = None
        self.headers: dict[str, str] = {}
        self.dropping = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                rest.asked.append(Asked(self.path, token, json.loads(raw)))
                if rest.dropping:
                    self.close_connection = True
                    return
                body = rest.raw if rest.raw is not None else json.dumps(rest.body).encode()
                self.send_response(rest.status)
                for name, value in rest.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
